// Records the requests of the official TypeScript SDK; test_typescript_sdk.py says how to run it.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const require = createRequire(`${process.cwd()}/`);
const models = require("@alicloud/cams20200606");
const Client = models.default;
const { Config } = require("@alicloud/openapi-client");
const { version } = JSON.parse(readFileSync("node_modules/@alicloud/cams20200606/package.json"));

const key = { accessKeyId: "LTAIsandboxAccessKey0001", accessKeySecret: "sandbox-secret-that-opens-nothing" };
const calls = [
  [key, { flowId: "346699123" }],
  [key, { flowId: "346699123", custSpaceId: "cams-awlkj23a09jd" }],
  [{ ...key, securityToken: "TOKEN+/=" }, { flowId: "346699123", custSpaceId: "cams-awlkj23a09jd" }],
  [key, { flowId: "a b*~+/:%é'(!)&FlowId=2#?;流程", custSpaceId: "" }],
];
// What the sandbox calls the first flow that is created in it.
const flow = { flowId: "700000000000001", custSpaceId: "cams-awlkj23a09jd" };
const page = new models.ListFlowRequestPage({ index: 1, size: 50 });
const family = [
  ["CreateFlow", { custSpaceId: flow.custSpaceId, flowName: "promo, ☕ & more", categories: ["SURVEY", "OTHER"] }],
  ["ListFlow", { custSpaceId: flow.custSpaceId, flowName: "promo", page }],
  ["UpdateFlowJSONAsset", { ...flow, filePath: "https://files.example/flow.json?a=1&b=2" }],
  ["GetFlowJSONAssest", flow],
  ["PublishFlow", flow],
  ["GetFlow", flow],
  ["ListChatappTemplate", { custSpaceId: flow.custSpaceId, page: new models.ListChatappTemplateRequestPage({ index: 1, size: 20 }) }],
];
const body = JSON.stringify({ Code: "OK", Message: "None", RequestId: "0", AccessDeniedDetail: "None" });
const answer = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const requests = [];
const server = createServer((socket) => {
  let raw = "";
  socket.setEncoding("latin1").on("data", (piece) => {
    raw += piece;
    // Node.js sends a form in chunks, whose last one is empty; where the parameters stand in the query there is none.
    const isChunked = /transfer-encoding: chunked/i.test(raw);
    if (!raw.endsWith(isChunked ? "\r\n0\r\n\r\n" : "\r\n\r\n")) return;
    requests.push(raw);
    socket.end(answer);
  });
});
server.listen(0, "127.0.0.1", async () => {
  const endpoint = `127.0.0.1:${server.address().port}`;
  const client = (credentials) => new Client(new Config({ ...credentials, endpoint, protocol: "http" }));
  for (const [credentials, parameters] of calls) {
    await client(credentials).deleteFlow(new models.DeleteFlowRequest(parameters));
  }
  for (const [operation, parameters] of family) {
    const method = operation[0].toLowerCase() + operation.slice(1);
    await client(key)[method](new models[`${operation}Request`](parameters));
  }
  server.close();
  const recorded = calls.map(([{ securityToken = "" }, { flowId, custSpaceId = "" }], index) => ({
    flow_id: flowId,
    cust_space_id: custSpaceId,
    security_token: securityToken,
    request: requests[index],
  }));
  const others = family.map(([operation], index) => ({ operation, request: requests[calls.length + index] }));
  const by = `@alicloud/cams20200606 ${version}`;
  console.log(JSON.stringify({ package: by, recorded, family: others }, null, 2));
});
