// One order from creation to handed over, driven by the official TypeScript SDK.
//
//   node flow.mjs prepare URL EMAIL PASSWORD            a facility with a listing and stock
//   node flow.mjs deliver URL EMAIL PASSWORD FACILITY   the order; prints what it saw as JSON
import assert from "node:assert/strict";
import http from "node:http";
import * as sdk from "@fulfillmenttools/fulfillmenttools-sdk-typescript";
import { clientFor } from "./client.mjs";

const [, , mode, server, email, password, facilityId] = process.argv;
// With the preload the SDK is used as it is; otherwise the subclass tells it where the server stands.
const client = process.env.FULFILLMENT_URL
  ? new sdk.FftApiClient("project", email, password, "any-api-key")
  : clientFor(server, email, password);
const service = (name) => new sdk[`Fft${name}Service`](client);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, look) {
  for (let attempt = 0; attempt < 1200; attempt++) {
    const found = await look();
    if (found) return found;
    await pause(100);
  }
  throw new Error(`${what} did not come`);
}

async function prepare() {
  const address = {
    street: "Damrak",
    houseNumber: "1",
    postalCode: "1012 LG",
    city: "Amsterdam",
    country: "NL",
    companyName: "Store",
  };
  const facility = await service("Facility").createFacility({
    type: "MANAGED_FACILITY",
    name: "Damrak",
    tenantFacilityId: "NL-1",
    status: "ONLINE",
    locationType: "STORE",
    services: [{ type: "SHIP_FROM_STORE" }, { type: "PICKUP" }],
    address,
    customAttributes: {},
  });
  assert.equal(await service("Facility").getFacilityId("NL-1"), facility.id);
  const renamed = await service("Facility").updateFacility(facility.id, { action: "ModifyFacility", name: "Damrak 1" });
  assert.equal(renamed.name, "Damrak 1");
  const listing = await service("Listing").create(facility.id, { tenantArticleId: "MUG", title: "Mug" });
  assert.equal(listing.tenantArticleId, "MUG");
  const stock = await service("Stock").createStock({ facilityRef: facility.id, tenantArticleId: "MUG", value: 5 });
  const counted = await service("Stock").updateById(stock.id, { value: 7, version: stock.version });
  assert.equal(counted.value, 7);
  const summaries = await service("Stock").getStockSummaries(25);
  assert.equal(summaries.stockSummaries[0].details.availableForPicking, 7);
  return { facility: facility.id };
}

function listen() {
  const heard = [];
  const receiver = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      heard.push({ headers: request.headers, ...JSON.parse(Buffer.concat(chunks)) });
      response.writeHead(201).end();
    });
  });
  return new Promise((resolve) => receiver.listen(0, "127.0.0.1", () => resolve([receiver, heard])));
}

async function deliver() {
  const [receiver, heard] = await listen();
  const callbackUrl = `http://127.0.0.1:${receiver.address().port}/events`;
  const events = [
    "ORDER_CREATED",
    "PICK_JOB_CREATED",
    "PICK_JOB_PICKING_FINISHED",
    "HANDOVERJOB_CREATED",
    "HANDOVERJOB_HANDED_OVER",
  ];
  const supported = await service("Project").getSupportedEvents();
  for (const event of events) {
    assert.ok(supported.includes(event), event);
    const subscription = { name: `CTC_${event}`, event, callbackUrl, headers: [{ key: "x-shop", value: "secret" }] };
    await service("Subscription").createSubscription(subscription);
  }
  const { subscriptions } = await service("Subscription").getSubscriptions(25);
  assert.deepEqual(new Set(subscriptions.map((entry) => entry.callbackUrl)), new Set([callbackUrl]));

  const order = await service("Order").create({
    tenantOrderId: "R-1001",
    orderDate: new Date(),
    consumer: {
      email: "anna@example.com",
      addresses: [
        {
          addressType: "POSTAL_ADDRESS",
          salutation: "",
          companyName: "",
          firstName: "Anna",
          lastName: "de Vries",
          street: "Prinsengracht",
          houseNumber: "263",
          postalCode: "1016 GV",
          city: "Amsterdam",
          country: "NL",
          phoneNumbers: [{ type: "PHONE", value: "" }],
        },
      ],
    },
    orderLineItems: [{ article: { tenantArticleId: "MUG", title: "Mug" }, quantity: 2 }],
    deliveryPreferences: { shipping: { preselectedFacilities: [], serviceLevel: "DELIVERY" } },
    customAttributes: { commercetoolsId: "c-1" },
  });
  assert.equal((await service("Order").findByTenantOrderId("R-1001")).id, order.id);

  const picking = service("PickJob");
  const { pickjobs } = await until("pick job", async () => {
    const found = await picking.getByTenantOrderId("R-1001");
    return found.total ? found : null;
  });
  const open = await picking.getOpenPickJobsByFacilityRef(facilityId);
  assert.equal(open.pickjobs[0].id, pickjobs[0].id);
  let job = await picking.getById(pickjobs[0].id);
  assert.deepEqual(job.customAttributes, { commercetoolsId: "c-1" });
  job = await picking.update(job, [{ action: "ModifyPickJob", status: "IN_PROGRESS" }]);
  const lines = job.pickLineItems.map((line) => ({
    action: "ModifyPickLineItem",
    id: line.id,
    picked: line.quantity,
    status: "CLOSED",
  }));
  job = await picking.update(job, [...lines, { action: "ModifyPickJob", status: "CLOSED" }]);
  assert.equal(job.status, "CLOSED");
  assert.deepEqual(await service("LoadUnit").findByPickJobRef(job.id), []);

  const packing = service("PackJob");
  let pack = (await packing.get({ pickJobRef: job.id })).packJobs[0];
  pack = await packing.getById(pack.id);
  pack = await packing.update(pack, [{ action: "ModifyPackJob", status: "IN_PROGRESS" }]);
  const packed = pack.lineItems.map((line) => ({ action: "ModifyPackLineItem", id: line.id, packed: line.quantity }));
  pack = await packing.update(pack, [...packed, { action: "ModifyPackJob", status: "CLOSED" }]);
  assert.equal(pack.status, "CLOSED");

  const { shipments } = await service("Shipment").findByPickJobId(job.id);
  const parcel = await until("label", async () => {
    const shipment = await service("Shipment").findById(shipments[0].id);
    const found = await service("Parcel").findMultiple(shipment.parcels.map((entry) => entry.parcelRef));
    return found.length && found.every((entry) => entry.status === "DONE") ? found[0] : null;
  });
  const label = await service("Parcel").getLabel(parcel.id, sdk.LabelDocument.ALL);

  const { handoverjobs } = await service("Handover").findByPickJobRef(job.id);
  const done = await service("Handover").markAsHandedOver(handoverjobs[0].id, handoverjobs[0].version);
  assert.equal(done.status, "HANDED_OVER");

  const process = await service("Process").get({ orderRef: order.id });
  const { routingPlans } = await service("RoutingPlan").getByOrderRef(order.id);
  const decision = await service("RoutingPlan").getDecisionLogForRoutingPlan(routingPlans[0].id, 1);
  await until("last event", () => heard.some((entry) => entry.event === "HANDOVERJOB_HANDED_OVER"));
  receiver.close();
  return {
    label: Buffer.from(label).subarray(0, 4).toString(),
    tracking: parcel.result.carrierTrackingNumber,
    process: { id: process.id, handoverJobRefs: process.handoverJobRefs },
    hasDecision: Boolean(decision),
    heard: heard.map(({ event, headers, payload }) => ({
      event,
      shop: headers["x-shop"],
      signature: headers["webhook-signature"] ?? "",
      commercetoolsId: payload.customAttributes?.commercetoolsId ?? null,
    })),
  };
}

console.log(JSON.stringify(await { prepare, deliver }[mode]()));
