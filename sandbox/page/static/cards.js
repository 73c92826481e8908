// One card a deal. Cards are made once and then updated in place, so that focus stays and only what changed lights up.

const FIELDS = {
  value: ["Deal value", "strong"],
  closing_date: ["Closing date", "strong"],
  microsoft: ["Microsoft", ""],
  microsoft_crm_id: ["Microsoft CRM id", ""],
  solutions: ["Solutions", "wide"],
  notes: ["Notes", "clamp wide"],
};
const FLASH_MS = 4000;
// Made once: a formatter costs more than all it formats.
const AMOUNTS = [0, 2].map((digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const DAYS = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const timers = new WeakMap();

export const SIDES = { "partner-center": "Partner Center", "dynamics-365": "Dynamics 365" };

/** Light up an element for a moment. */
export function flash(element) {
  clearTimeout(timers.get(element));
  element.classList.add("changed");
  timers.set(element, setTimeout(() => element.classList.remove("changed"), FLASH_MS));
}

/** Write text; lights up when it was something else before. Returns whether it was. */
export function write(element, text) {
  if (element.textContent === text) return false;
  const known = element.dataset.known === "yes";
  element.textContent = text;
  element.dataset.known = "yes";
  if (known) flash(element);
  return known;
}

/** "50000.00 USD" as "50,000 USD". */
export function money(value) {
  const [amount, currency] = value.split(" ");
  if (!currency) return value;
  const [whole, exact] = AMOUNTS;
  return `${(amount.endsWith(".00") ? whole : exact).format(Number(amount))} ${currency}`;
}

/** "2027-06-30" as "30 Jun 2027". */
export function day(text) {
  return text ? DAYS.format(new Date(`${text}T00:00:00Z`)) : "";
}

function shown(name, value) {
  if (name === "value") return money(value);
  if (name === "closing_date") return day(value);
  return Array.isArray(value) ? value.join(", ") : value;
}

/** A new, empty card for one side. */
export function makeCard(side) {
  const card = document.getElementById("card").content.firstElementChild.cloneNode(true);
  const list = card.querySelector("dl");
  for (const [name, [label, style]] of Object.entries(FIELDS)) {
    const row = list.appendChild(document.createElement("div"));
    if (style.includes("wide")) row.className = "wide";
    row.appendChild(document.createElement("dt")).textContent = label;
    const value = row.appendChild(document.createElement("dd"));
    value.className = style.replace("wide", "").trim();
    value.dataset.field = name;
  }
  card.dataset.side = side;
  return card;
}

/** Bring a card up to date; `news` receives a sentence for each field that changed. */
export function updateCard(card, deal, differing, news) {
  const where = SIDES[card.dataset.side];
  write(card.querySelector("h3"), deal.name || "(no name)");
  write(card.querySelector(".customer"), deal.customer || "(no customer)");
  const state = card.querySelector(".state");
  if (write(state, deal.status)) news(`${where}: ${deal.name} is now ${deal.status}.`);
  state.className = `state ${deal.state}${state.classList.contains("changed") ? " changed" : ""}`;
  for (const value of card.querySelectorAll("dd")) {
    const name = value.dataset.field;
    if (write(value, shown(name, deal[name]) || "–")) news(`${where}: ${FIELDS[name][0]} of ${deal.name} is now ${value.textContent}.`);
  }
  const agreement = card.querySelector(".agreement");
  const other = SIDES[card.dataset.side === "partner-center" ? "dynamics-365" : "partner-center"];
  agreement.className = `agreement ${differing === null ? "" : differing.length ? "no" : "yes"}`;
  agreement.textContent =
    differing === null ? `Not in ${other} yet`
    : differing.length ? `Differs from ${other}: ${differing.join(", ")}`
    : `✔ The same in ${other}`;
}

/** Show exactly these buttons: [label, action, primary]. Kept buttons keep the focus; a removed one gives it on. */
export function updateActions(card, wanted) {
  const row = card.querySelector(".actions");
  const focused = row.contains(document.activeElement);
  const have = new Map([...row.children].map((button) => [button.textContent, button]));
  for (const [label, button] of have) if (!wanted.some(([name]) => name === label)) button.remove();
  wanted.forEach(([label, action, primary], index) => {
    const button = have.get(label) ?? Object.assign(document.createElement("button"), { type: "button", textContent: label });
    button.className = primary ? "main" : "";
    button.onclick = action;
    if (row.children[index] !== button) row.insertBefore(button, row.children[index] ?? null);
  });
  if (focused && !row.contains(document.activeElement)) (row.firstElementChild ?? card.querySelector("h3")).focus();
}
