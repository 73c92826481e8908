// The middle: queues, switches, audit lines.

import { flash } from "./cards.js";
import { request } from "./server.js";

const QUEUES = {
  "partner-center-events": ["Partner Center events", "partner_center_to_dynamics_365"],
  "microsoft-referral-updates": ["Microsoft's answers", "partner_center_microsoft_cosell_referral_updates_to_dynamics_365"],
  "dynamics-365-opportunities": ["Opportunity changes", "dynamics_365_opportunity_to_partner_center"],
  "dynamics-365-solutions": ["Solution changes", "dynamics_365_microsoft_solutions_to_partner_center"],
  "dynamics-365-to-partner-center": ["To Partner Center", "dynamics_365_to_partner_center"],
  "create-cosell-referral": ["New referrals", "create_cosell_referral_dynamics_365_to_partner_center"],
  parked: ["Parked", ""],
};
const SWITCHES = {
  down: "Partner Center is down",
  slow: "Partner Center is slow",
  busy: "Partner Center is busy (429)",
  silent: "Partner Center sends no events",
};

function cell(row, name) {
  return row.querySelector(`[data-name=${name}]`);
}

function makeRow(key, body) {
  const row = body.appendChild(document.createElement("tr"));
  row.dataset.key = key;
  const head = row.appendChild(document.createElement("th"));
  head.scope = "row";
  head.textContent = QUEUES[key][0];
  for (const name of ["now", "later", "done"]) row.appendChild(document.createElement("td")).dataset.name = name;
  return row;
}

/** Counts: what waits or is being worked on, what is scheduled, what the function has done. */
export function showQueues(queues, functions) {
  const body = document.getElementById("queues");
  for (const [key, [, name]] of Object.entries(QUEUES)) {
    const row = body.querySelector(`[data-key="${key}"]`) ?? makeRow(key, body);
    const counts = queues[key] ?? { active: 0, locked: 0, scheduled: 0, dead_letter: 0 };
    const numbers = { now: counts.active + counts.locked, later: counts.scheduled, done: functions[name]?.succeeded ?? "" };
    for (const [column, number] of Object.entries(numbers)) {
      const target = cell(row, column);
      if (target.textContent !== String(number) && target.textContent !== "") flash(row);
      target.textContent = String(number);
      target.classList.toggle("some", column !== "done" && number > 0);
      target.classList.toggle("none", number === 0);
    }
    row.classList.toggle("alarm", counts.dead_letter > 0 || (key === "parked" && counts.active > 0));
  }
}

/** The switches as the simulators know them; `failed` gets the sentence when one cannot be turned. */
export function showSwitches(states, failed) {
  const list = document.getElementById("switches");
  for (const [name, on] of Object.entries(states)) {
    let button = list.querySelector(`[data-name=${name}]`);
    if (!button) {
      button = Object.assign(document.createElement("button"), { type: "button", textContent: SWITCHES[name] });
      button.role = "switch";
      button.dataset.name = name;
      list.append(button);
    }
    button.setAttribute("aria-checked", String(on));
    button.onclick = () =>
      request("PUT", `/api/switches/${name}`, { on: !on }).then(() => button.setAttribute("aria-checked", String(!on)), failed);
  }
}

/** "2027-03-04T09:15:30Z | CRM>PC | UPDATE | OK | text | run … | ref …" as a time, a sentence and a mark. */
function line({ line: text, deal }) {
  const [at, direction = "", operation = "", outcome = "", ...rest] = text.split(" | ");
  const item = document.createElement("li");
  if (outcome === "FAILED") item.className = "failed";
  const when = item.appendChild(document.createElement("div"));
  when.className = "when";
  const way = { "CRM>PC": "Dynamics 365 → Partner Center", "PC>CRM": "Partner Center → Dynamics 365" }[direction] ?? direction;
  when.textContent = `${at.slice(11, 19)}  ${way}`;
  const what = rest.filter((part) => !/^(run|ref) /.test(part)).join("; ");
  item.appendChild(document.createElement("div")).textContent = `${deal}: ${[operation.toLowerCase(), what].filter(Boolean).join(", ")}`;
  return item;
}

/** The latest audit lines of all opportunities. */
export function showAudit(lines) {
  const list = document.getElementById("audit");
  const key = JSON.stringify(lines);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  document.getElementById("audit-empty").hidden = lines.length > 0;
  list.replaceChildren(...lines.map(line));
}
