#!/bin/sh
# Ids from another tool, through a pipe: flowreaper calls each as it comes.
#
#     sh examples/pipe.sh
#
# Here a shell loop makes the ids. With the official CLI and jq it could be:
#
#     aliyun cams ListFlow --Page '{"Index":1,"Size":100}' | jq -r '.Data[].FlowId' | flowreaper delete --yes
set -eu

for number in 1 2 3 4 5; do
    echo "92600000000033000$number"
done | flowreaper delete --sandbox --yes --results - --checkpoint pipe.ckpt -
