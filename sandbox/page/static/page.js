// Reads the board a little more than once a second and shows it. What is on the page is never kept anywhere else.

import { makeCard, SIDES, updateActions, updateCard } from "./cards.js";
import { showAudit, showQueues, showSwitches } from "./between.js";
import { createDeal, editDeal } from "./dialogs.js";
import { request } from "./server.js";

const POLL_MS = 700;
const HEADING = 2; // a side's children before its first card: the title and the note that there is none
const elements = new Map(); // side and deal → its element
let timer;
let pause = 0; // until then a complaint of an action is not overwritten

const trouble = document.getElementById("trouble");
const verdict = document.getElementById("verdict");

function complain(sentences) {
  trouble.textContent = [...new Set(sentences)].join(" ");
  trouble.hidden = sentences.length === 0;
}

/** Do something on the server and look again at once; a failure is shown above the board. */
async function act(method, path, body) {
  try {
    await request(method, path, body);
    look();
  } catch (error) {
    complain([error.message]);
    pause = Date.now() + 6000;
  }
}

function actionsOf(side, deal) {
  const change = ["Change", () => editDeal(side, deal), false];
  if (side === "dynamics-365") {
    if (deal.state === "waiting" && deal.other_id) {
      const answer = (accepted) => () => act("POST", `/api/dynamics-365/deals/${deal.id}/answer`, { accepted });
      return [["Accept", answer(true), true], ["Decline", answer(false), false], change];
    }
    return deal.state === "open" || deal.state === "waiting" ? [change] : [];
  }
  const microsoft = (action) => () => act("POST", `/api/engagements/${deal.engagement}/microsoft`, { action });
  const open = deal.state === "open" || deal.state === "waiting" ? [change] : [];
  return deal.microsoft.startsWith("New")
    ? [["Microsoft accepts", microsoft("accept"), true], ["Microsoft declines", microsoft("decline"), false], ...open]
    : open;
}

/** The element of one side of a pair: the deal's card, or a note that it is not there yet. */
function elementOf(side, pair, news) {
  const [deal, other] = side === "partner-center" ? [pair.partnerCenter, pair.dynamics365] : [pair.dynamics365, pair.partnerCenter];
  const key = deal ? `${side} ${deal.id}` : `${side} without ${other.id}`;
  if (!elements.has(key)) elements.set(key, deal ? makeCard(side) : document.getElementById("gap").content.firstElementChild.cloneNode(true));
  const element = elements.get(key);
  if (deal) {
    updateCard(element, deal, other ? pair.differing : null, news);
    updateActions(element, actionsOf(side, deal));
  } else {
    element.textContent = `Not in ${SIDES[side]} yet`;
  }
  return element;
}

function showPairs(pairs) {
  const sentences = [];
  for (const side of Object.keys(SIDES)) {
    const section = document.getElementById(side);
    const wanted = pairs.map((pair) => elementOf(side, pair, (sentence) => sentences.push(sentence)));
    for (const old of section.querySelectorAll(".card, .gap")) if (!wanted.includes(old)) old.remove();
    // Moving an element would take its focus, so only what stands in the wrong place is moved.
    wanted.forEach((element, row) => {
      const there = section.children[row + HEADING];
      if (there !== element) section.insertBefore(element, there ?? null);
    });
    section.querySelector(".empty").hidden = pairs.length > 0;
  }
  document.getElementById("board").style.setProperty("--rows", Math.max(2, pairs.length + 1));
  if (sentences.length) document.getElementById("news").textContent = sentences.join(" ");
}

function showVerdict({ pairs, queues }) {
  const moving = Object.entries(queues).filter(([name]) => name !== "parked").reduce((sum, [, q]) => sum + q.active + q.locked + q.scheduled, 0);
  const apart = pairs.filter((pair) => !pair.partnerCenter || !pair.dynamics365 || pair.differing.length).length;
  verdict.className = `verdict ${apart ? "moving" : pairs.length ? "agree" : ""}`;
  verdict.textContent =
    apart ? `${apart} of ${pairs.length} deals differ${moving ? `, ${moving} messages on the way` : ""}`
    : pairs.length ? `✔ Both sides agree on ${pairs.length} ${pairs.length === 1 ? "deal" : "deals"}`
    : "No deals yet";
}

async function look() {
  clearTimeout(timer);
  try {
    const board = await request("GET", "/api/board");
    showPairs(board.pairs);
    showQueues(board.queues, board.functions);
    showSwitches(board.switches, (error) => complain([error.message]));
    showAudit(board.audit);
    showVerdict(board);
    if (Date.now() > pause) complain(board.problems);
  } catch (error) {
    complain([error.message]);
    verdict.textContent = "Not connected";
    verdict.className = "verdict";
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, POLL_MS);
}

for (const button of document.querySelectorAll("[data-new]")) button.onclick = () => createDeal(button.dataset.new);
document.addEventListener("visibilitychange", () => document.hidden || look());
document.addEventListener("close", look, true); // a dialog closed: something may have changed
look();
