// The node `soap` stack as the tests drive it: a question a line on stdin (fields between tabs), an answer a
// line on stdout (JSON).
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import soap from "soap";

const ADDRESSING = "http://www.w3.org/2005/08/addressing";
const clients = new Map();

async function opened({ wsdl, login, secret }) {
  const key = JSON.stringify([wsdl, login, secret]);
  if (!clients.has(key)) {
    const client = await soap.createClientAsync(wsdl);
    client.setSecurity(new soap.WSSecurity(login, secret, { passwordType: "PasswordDigest", hasTimeStamp: false }));
    clients.set(key, client);
  }
  return clients.get(key);
}

async function call(account, operation, request) {
  const client = await opened(account);
  client.clearSoapHeaders();
  if (account.addressing) {
    const to = account.wsdl.split("?")[0];
    for (const [name, text] of [["Action", operation], ["MessageID", `urn:uuid:${randomUUID()}`], ["To", to]]) {
      client.addSoapHeader(`<wsa:${name} xmlns:wsa="${ADDRESSING}">${text}</wsa:${name}>`);
    }
  }
  const [answer] = await client[`${operation}Async`](request);
  return answer;
}

function taken(document) {
  return {
    filename: document.content.attributes.filename,
    content: document.content.$value,
    systems: [document.targetSystems.system].flat(),
  };
}

function next(answer) {
  const hasNext = answer?.attributes?.hasNext;
  return { document: answer?.document ? taken(answer.document) : null, hasNext: hasNext === true || hasNext === "true" };
}

function told(error) {
  const fault = error.root?.Envelope?.Body?.Fault;
  if (!fault) {
    return { trouble: String(error.stack ?? error) };
  }
  const detail = ["techErrorFault", "businessErrorFault"].find((name) => fault.detail?.[name]) ?? null;
  const { errorCode, errorDesc } = detail ? fault.detail[detail].error : {};
  return { fault: { string: fault.faultstring, detail, error_code: errorCode ?? null, error_desc: errorDesc ?? null } };
}

const DO = {
  async submit({ account, document }) {
    const content = {
      attributes: { filename: basename(document), mime: "application/xml" },
      $value: readFileSync(document).toString("base64"),
    };
    const answer = await call(account, "AcceptDocument", { document: { content, targetSystems: { system: ["NCTS2"] } } });
    return { sysRef: answer.result.sysRef };
  },
  async next({ account }) {
    return next(await call(account, "GetNextDocument", {}));
  },
  async nextSisc({ account, ...grades }) {
    return next(await call(account, "GetNextDocumentSisc", grades));
  },
  async documents({ account, ...criteria }) {
    const answer = await call(account, "GetDocuments", criteria);
    const documents = [answer.document ?? []].flat().map(taken);
    return { count: Number(answer.documentsCount), documents, info: answer.documentsInfo ?? null };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [what, wsdl, login, secret, addressing, ...more] = line.split("\t");
  const account = { wsdl, login, secret, addressing: addressing === "yes" };
  const answer = await DO[what]({ account, ...Object.fromEntries(more.map((item) => item.split(/=(.*)/s))) }).catch(told);
  console.log(JSON.stringify(answer));
}
