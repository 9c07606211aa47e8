// Exposes a counter and a histogram with prom-client on a free loopback port, prints the port, ends with stdin.
import http from "node:http";
import client from "prom-client";

const orders = new client.Counter({ name: "shop_orders_total", help: "Orders.", labelNames: ["code"] });
orders.inc({ code: "200" }, 7);
const latency = new client.Histogram({ name: "shop_latency_seconds", help: "Latency.", buckets: [0.1, 0.5, 1] });
latency.observe(0.3);
const server = http.createServer(async (_request, response) => {
  response.setHeader("content-type", client.register.contentType);
  response.end(await client.register.metrics());
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("close", () => process.exit(0)).resume();
