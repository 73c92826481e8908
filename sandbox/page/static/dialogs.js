// The two dialogs. Native <dialog>: it keeps the focus inside, closes on Escape and gives the focus back.

import { request } from "./server.js";

const WORDS = {
  "partner-center": { title: "New deal in Partner Center", microsoft: "Sent by a Microsoft seller; our seller has to accept it" },
  "dynamics-365": { title: "New opportunity in Dynamics 365", microsoft: "Ask Microsoft for help with a proof of concept (co-sell)" },
};
const STATES = {
  "partner-center": { open: "Active", won: "Closed: won", lost: "Closed: lost" },
  "dynamics-365": { open: "In Progress", waiting: "On Hold", won: "Won", lost: "Lost" },
};

function open(dialog, send) {
  const form = dialog.querySelector("form");
  const problem = dialog.querySelector(".problem");
  const submit = dialog.querySelector("button.main");
  problem.hidden = true;
  dialog.querySelector("[data-close]").onclick = () => dialog.close();
  form.onsubmit = async (event) => {
    event.preventDefault();
    problem.hidden = true;
    submit.disabled = true;
    try {
      await send(form.elements);
      dialog.close();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      submit.disabled = false;
    }
  };
  dialog.showModal();
}

/** Ask for a new deal on one side. */
export function createDeal(side) {
  const dialog = document.getElementById("create");
  dialog.querySelector("form").reset();
  dialog.querySelector("h2").textContent = WORDS[side].title;
  document.getElementById("create-microsoft").textContent = WORDS[side].microsoft;
  dialog.querySelector("[name=closing_date]").value = new Date(Date.now() + 60 * 86400000).toISOString().slice(0, 10);
  open(dialog, (fields) =>
    request("POST", `/api/${side}/deals`, {
      name: fields.name.value,
      customer: fields.customer.value,
      value: fields.value.value,
      closing_date: fields.closing_date.value,
      notes: fields.notes.value,
      microsoft: fields.microsoft.checked,
    }),
  );
}

/** Change a deal on the side it is seen on; only what was changed is sent. */
export function editDeal(side, deal) {
  const dialog = document.getElementById("edit");
  const form = dialog.querySelector("form");
  form.reset();
  dialog.querySelector("h2").textContent = `Change ${deal.name}`;
  document.getElementById("edit-where").textContent =
    side === "partner-center" ? "As a user of Partner Center" : "As a seller in Dynamics 365";
  const before = { value: String(Number(deal.value.split(" ")[0])), closing_date: deal.closing_date, notes: deal.notes, status: deal.state };
  const states = { ...STATES[side] };
  if (!(deal.state in states)) states[deal.state] = deal.status;
  form.elements.status.replaceChildren(...Object.entries(states).map(([value, label]) => new Option(label, value)));
  for (const [name, value] of Object.entries(before)) form.elements[name].value = value;
  open(dialog, async (fields) => {
    const changes = Object.fromEntries(
      Object.keys(before).filter((name) => fields[name].value !== before[name]).map((name) => [name, fields[name].value]),
    );
    if (Object.keys(changes).length) await request("PATCH", `/api/${side}/deals/${deal.id}`, changes);
  });
}
