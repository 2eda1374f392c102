// Records the requests of the official TypeScript SDK; test_typescript_sdk.py says how to run it.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const require = createRequire(`${process.cwd()}/`);
const { default: Client, DeleteFlowRequest } = require("@alicloud/cams20200606");
const { Config } = require("@alicloud/openapi-client");
const { version } = JSON.parse(readFileSync("node_modules/@alicloud/cams20200606/package.json"));

const key = { accessKeyId: "LTAIsandboxAccessKey0001", accessKeySecret: "sandbox-secret-that-opens-nothing" };
const calls = [
  [key, { flowId: "346699123" }],
  [key, { flowId: "346699123", custSpaceId: "cams-awlkj23a09jd" }],
  [{ ...key, securityToken: "TOKEN+/=" }, { flowId: "346699123", custSpaceId: "cams-awlkj23a09jd" }],
  [key, { flowId: "a b*~+/:%é'(!)&FlowId=2#?;流程", custSpaceId: "" }],
];
const body = JSON.stringify({ Code: "OK", Message: "None", RequestId: "0", AccessDeniedDetail: "None" });
const answer = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const requests = [];
const server = createServer((socket) => {
  let raw = "";
  socket.setEncoding("latin1").on("data", (piece) => {
    raw += piece;
    // Node.js sends the form in chunks; its last one is empty.
    if (!raw.endsWith("\r\n0\r\n\r\n")) return;
    requests.push(raw);
    socket.end(answer);
  });
});
server.listen(0, "127.0.0.1", async () => {
  const endpoint = `127.0.0.1:${server.address().port}`;
  for (const [credentials, flow] of calls) {
    const client = new Client(new Config({ ...credentials, endpoint, protocol: "http" }));
    await client.deleteFlow(new DeleteFlowRequest(flow));
  }
  server.close();
  const recorded = calls.map(([{ securityToken = "" }, { flowId, custSpaceId = "" }], index) => ({
    flow_id: flowId,
    cust_space_id: custSpaceId,
    security_token: securityToken,
    request: requests[index],
  }));
  console.log(JSON.stringify({ package: `@alicloud/cams20200606 ${version}`, recorded }, null, 2));
});
