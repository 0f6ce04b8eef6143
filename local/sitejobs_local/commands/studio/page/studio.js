// The page of `sitejobs studio`: five views over a few answers, so plain DOM calls suffice. Whatever stands in the
// database becomes text nodes: nothing here makes markup of a string.

const WAIT = 2000;  // milliseconds between two looks at the runs
const main = document.getElementById("main");
const status = document.getElementById("status");
const frames = window.trustedTypes?.createPolicy("quality", { createHTML: (text) => text }) ?? { createHTML: (text) => text };

const given = new URLSearchParams(location.hash.slice(1));  // the printed address: #key=..., and &at=/user/8 for a view
if (given.has("key")) {
  sessionStorage.setItem("key", given.get("key"));
  history.replaceState(null, "", `#${given.get("at") ?? "/runs"}`);
}

async function ask(path, query = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  const answer = await fetch(`${path}?${asked}`, { headers: { "X-Studio-Key": sessionStorage.getItem("key") ?? "" } });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

// Elements ---------------------------------------------------------------------------------------------------------

function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const name = (text) => el("bdi", {}, text || "(no name)");
const userLink = (id, text) => el("a", { href: `#/user/${id}` }, text === undefined ? `user ${id}` : name(text));
const moment = (at) => (at ? el("time", { datetime: at }, `${String(at).slice(0, 16).replace("T", " ")} UTC`) : "never");
const count = (number) => Number(number).toLocaleString("en");
const facts = (pairs) => el("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
  .flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
const section = (title, ...children) => el("section", {}, el("h2", {}, title), ...children);
const note = (text) => el("p", { class: "dim note" }, text);

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function marked(text) {  // \x02 and \x03 stand around each word that was found
  return String(text ?? "").split(/\x02([^\x03]*)\x03/).map((part, at) => (at % 2 ? el("mark", {}, part) : part));
}

function form(fields, submit, label) {
  const inputs = fields.map(({ id, text, ...more }) => [id, more.options
    ? el("select", { id, name: id }, more.options.map((option) => el("option", { value: option, selected: option === more.value }, option || "any")))
    : el("input", { id, name: id, value: more.value ?? "", class: more.long && "long", inputmode: more.inputmode, placeholder: more.placeholder, autocomplete: "off", spellcheck: "false" }), text]);
  const element = el("form", { role: "search" }, inputs.map(([id, input, text]) => el("label", { for: id }, text, input)), el("button", {}, label));
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(Object.fromEntries(inputs.map(([id, input]) => [id, input.value.trim()])));
  });
  return element;
}

const more = (query, text) => el("p", {}, el("a", { href: `#${query}` }, text));

// Runs -------------------------------------------------------------------------------------------------------------

const TONE = { SUCCEEDED: "good", RUNNING: "", NOT_STARTED: "dim" };
const badge = (state) => el("span", { class: `badge ${TONE[state] ?? "bad"}` }, state.toLowerCase().replaceAll("_", " "));

function runningBar(run) {
  if (run.status !== "RUNNING") return null;
  const jobs = Object.values(run.jobs ?? {});
  if (jobs.length) {
    const ended = jobs.filter((job) => !["RUNNING", "WAITING", "PENDING"].includes(job.status)).length;
    return el("div", {}, el("progress", { max: jobs.length, value: ended, "aria-label": `${run.job}: jobs done` }), note(`${ended} of ${jobs.length} jobs`));
  }
  const usual = run.usualSeconds;
  const bar = { "aria-label": `${run.job}: time beside that of the last run`, ...(usual ? { max: usual, value: Math.min(run.seconds, usual * 0.99) } : {}) };
  return el("div", {}, el("progress", bar), note(usual ? `${duration(run.seconds)}; the last one took ${duration(usual)}` : `${duration(run.seconds)}; the first of its kind`));
}

function runCard(run) {
  const reasons = Object.entries(run.reasons ?? {}).sort((one, other) => other[1] - one[1]);
  const details = el("details", { "data-run": run.id }, el("summary", {}, "details"), facts([
    ["options", JSON.stringify(run.options)], ["trigger", run.trigger],
    ["skipped", count(run.skipped)], ["failed", count(run.failed)],
    ["reasons", reasons.map(([reason, many]) => `${reason} ${count(many)}`).join(", ")],
    ["last heard of", run.quietSeconds === null ? null : `${duration(run.quietSeconds)} ago`],
    ["jobs", Object.entries(run.jobs ?? {}).map(([job, state]) => el("div", {}, `${job}: ${String(state.status).toLowerCase().replaceAll("_", " ")}`))],
    ["execution", run.execution],
  ]));
  details.addEventListener("toggle", async () => {
    if (!details.open || !run.failedPages || details.dataset.asked) return;
    details.dataset.asked = "yes";
    const { failedPagesNoted } = await ask("/api/run", { id: run.id });
    details.append(el("ul", {}, failedPagesNoted.map((page) => el("li", { class: "bad small" }, `page ${page.page}: ${page.error} ${page.detail ?? ""}`))));
  });
  return el("li", { class: "card", "data-key": run.id },
    el("div", { class: "row" }, el("h2", {}, run.job), badge(run.status), el("span", { class: "end dim small" }, `run ${run.id}`)),
    el("div", { class: "row small dim" }, run.scope === "all" ? "" : el("span", {}, run.scope), moment(run.startedAt), el("span", { class: "end" }, duration(run.seconds))),
    runningBar(run),
    el("div", { class: "row small" }, `${count(run.processed)} records, ${count(run.written)} rows written`, run.failedPages ? el("span", { class: "bad" }, `${count(run.failedPages)} of ${count(run.pages)} pages failed`) : ""),
    run.error || run.message ? el("p", { class: `small text ${run.error ? "bad" : ""}` }, run.error || run.message) : null,
    details);
}

function renew(list, cards) {  // only what differs is put in place, so that the focus stays where it is
  const old = new Map([...list.children].map((card) => [card.dataset.key, card]));
  cards.forEach((card, at) => {
    const known = old.get(card.dataset.key);
    if (known?.querySelector("details")?.open || known?.contains(document.activeElement)) card = known;
    if (list.children[at] !== card) known === card || !known ? list.insertBefore(card, list.children[at] ?? null) : known.replaceWith(card);
  });
  while (list.children.length > cards.length) list.lastChild.remove();
}

async function runsView(_, query, alive) {
  const list = el("ol", { class: "cards" });
  const view = [el("h1", {}, "Runs"), list];
  let found = await ask("/api/runs", { before: query.get("before") });
  renew(list, found.runs.map(runCard));
  if (!found.runs.length) view.push(note(query.get("before") ? "There are no older runs." : "Nothing has run yet: `sitejobs all` runs every job."));
  if (found.next) view.push(more(`/runs?before=${found.next}`, "Older runs"));
  const look = async () => {
    if (!alive()) return;
    if (!document.hidden && !query.get("before")) {
      try {
        found = await ask("/api/runs");
        if (alive()) renew(list, found.runs.map(runCard));
        status.textContent = found.runs.filter((run) => run.status === "RUNNING").map((run) => `${run.job} is running`).join(", ");
      } catch (error) { status.textContent = error.message; }
    }
    setTimeout(look, WAIT);
  };
  setTimeout(look, WAIT);
  return view;
}

// A user -----------------------------------------------------------------------------------------------------------

const KINDS = { highlight: "highlighted post", post: "post", suggestion: "suggestion", grid: "suggestion", question: "question" };

function feedCard(card) {
  const parts = Object.entries(card.parts ?? {}).map(([part, value]) => `${part} ${value.toFixed(2)}`).join(", ");
  return el("li", { class: `card ${card.presentation === "highlight" ? "wide" : ""}` },
    card.author ? el("h3", {}, card.kind === "suggestion" ? userLink(card.id, card.author.name) : userLink(card.author.id, card.author.name)) : null,
    card.preview ? el("p", { class: "text" }, card.preview) : null,
    el("div", {}, (card.options ?? []).map((option) => el("span", { class: "pill" }, el("bdi", {}, String(option.label))))),
    el("div", { class: "small dim" }, [KINDS[card.presentation] ?? "post", card.mediaType?.toLowerCase(), parts ? `${card.score.toFixed(3)} (${parts})` : ""].filter(Boolean).join(" · ")));
}

function matchCard(match) {
  return el("li", { class: "card" },
    el("div", { class: "row" }, el("h3", {}, `${match.rank}. `, userLink(match.id, match.name)), el("span", {}, match.age === null ? "" : `${match.age}`), el("span", { class: "badge" }, `tier ${match.tier}`), el("span", { class: "end" }, match.score.toFixed(3))),
    match.place ? el("div", { class: "small" }, el("bdi", {}, match.place)) : null,
    el("ul", { class: "small dim" }, match.why.map((line) => el("li", {}, el("bdi", {}, line)))));
}

async function userView([id]) {
  const asking = form([{ id: "userId", text: "User's id", value: id, inputmode: "numeric" }], ({ userId }) => { location.hash = `#/user/${encodeURIComponent(userId)}`; }, "Show");
  if (!id) return [el("h1", {}, "User"), asking, example ? el("p", {}, "Such as ", userLink(example), ", who has good matches.") : ""];
  const found = await ask("/api/user", { id });
  const known = Object.entries(found.known).map(([title, what]) => [title, el("div", {},
    what.told.slice(0, title === "matches" || title === "feed" ? 1 : undefined).map((line) => el("div", {}, el("bdi", {}, line))),
    el("div", { class: "small dim" }, what.computedAt ? ["computed ", moment(what.computedAt)] : ""))]);
  return [el("h1", {}, `User ${id}: `, el("bdi", {}, found.told)), asking,
    section("What the jobs know", facts(known)),
    section("Matches", found.matches.length ? el("ol", { class: "cards" }, found.matches.map(matchCard)) : note(found.known.matches.told.join(" "))),
    section("Feed", found.cards.length ? el("ol", { class: "cards" }, found.cards.map(feedCard)) : note(found.known.feed.told.join(" ")))];
}

// Search, uploads, quality -----------------------------------------------------------------------------------------

const GENDERS = ["", "MALE", "FEMALE", "NONBINARY", "OTHER", "UNSPECIFIED"];

async function searchView(_, query) {
  const value = (field) => query.get(field) ?? "";
  const fields = [
    { id: "text", text: "Words or a name", value: value("text"), long: true }, { id: "near", text: "Near (lat,lng)", value: value("near"), placeholder: "52.52,13.40" },
    { id: "km", text: "Within km", value: value("km"), inputmode: "decimal" }, { id: "age", text: "Age", value: value("age"), placeholder: "25-35" },
    { id: "gender", text: "Gender", value: value("gender"), options: GENDERS },
  ];
  const asking = form(fields, (asked) => { location.hash = `#/search?${new URLSearchParams(Object.entries(asked).filter(([, it]) => it))}`; }, "Search");
  const view = [el("h1", {}, "Search"), asking];
  if (!value("text")) return view;
  try {
    const { found, next, told } = await ask("/api/search", Object.fromEntries(query));
    view.push(el("ol", { class: "cards" }, found.map((hit) => el("li", { class: "card" },
      el("div", { class: "row" }, el("h2", {}, el("a", { href: `#/user/${hit.user_id}` }, el("bdi", {}, hit.name ? marked(hit.name) : "(no name)"))), hit.age === null ? "" : `${hit.age}`, el("span", { class: "end" }, hit.rank.toFixed(3))),
      el("div", { class: "small dim" }, hit.location ? el("bdi", {}, marked(hit.location)) : "", hit.km === null ? "" : ` ${count(Math.round(hit.km))} km away`),
      hit.bio ? el("p", { class: "text" }, marked(hit.bio)) : null,
      hit.keywords?.includes("\x02") ? el("p", { class: "text small" }, "lists: ", marked(hit.keywords)) : null))));
    if (!found.length) view.push(note(told ?? "Nobody comes after."));
    if (next) view.push(more(`/search?${new URLSearchParams({ ...Object.fromEntries(query), after: next })}`, "More"));
  } catch (error) { view.push(el("p", { class: "bad", role: "alert" }, error.message)); }
  return view;
}

async function uploadsView(_, query) {
  const verdict = query.get("verdict") ?? "";
  const asking = form([{ id: "verdict", text: "Verdict", value: verdict, options: ["", "READY", "REJECTED", "FAILED_PROCESSING"] }], (asked) => { location.hash = `#/uploads?verdict=${asked.verdict}`; }, "Show");
  const { uploads, next } = await ask("/api/uploads", { verdict, before: query.get("before") });
  const tone = { READY: "good" };
  const cards = uploads.map((media) => el("li", { class: "card" },
    el("div", { class: "row" }, el("h2", {}, `media ${media.mediaId}`), el("span", { class: `badge ${tone[media.verdict] ?? "bad"}` }, media.verdict)),
    el("div", { class: "small" }, el("bdi", {}, [media.format, media.width ? `${media.width} x ${media.height}` : "", media.durationMs === null ? "" : duration(media.durationMs / 1000), media.sizeBytes === null ? "" : `${count(Math.ceil(media.sizeBytes / 1024))} KB`, media.playable === false ? "does not play everywhere" : ""].filter(Boolean).join(" · "))),
    el("ul", { class: "small" }, (media.reasons ?? []).map((reason) => el("li", {}, el("bdi", {}, `${reason.code ?? ""} ${reason.detail ?? ""}`.trim())))),
    el("div", { class: "small dim" }, "checked ", moment(media.checkedAt))));
  return [el("h1", {}, "Uploads"), asking, cards.length ? el("ol", { class: "cards" }, cards) : note("No upload has been checked: `sitejobs upload FILE` checks some."),
    next ? more(`/uploads?verdict=${verdict}&before=${next}`, "Older uploads") : ""];
}

async function qualityView() {
  const { html, none } = await ask("/api/quality");
  if (!html) return [el("h1", {}, "Quality"), note(none)];
  const frame = el("iframe", { title: "Quality of matches", sandbox: "" });
  frame.srcdoc = frames.createHTML(html);
  return [el("h1", {}, "Quality"), frame];
}

// Which view is shown ----------------------------------------------------------------------------------------------

const VIEWS = { runs: runsView, user: userView, search: searchView, uploads: uploadsView, quality: qualityView };
let shown = 0;
let example = null;

async function show(focus) {
  const turn = ++shown;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "runs", ...rest] = (path || "runs").split("/").map(decodeURIComponent);
  if (!(view in VIEWS)) return;  // a link within the page
  document.querySelectorAll("nav a").forEach((link) => {
    link.getAttribute("href") === `#/${view}` ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  });
  let content;
  try {
    content = await VIEWS[view](rest.filter(Boolean), new URLSearchParams(query), () => shown === turn);
  } catch (error) {
    content = [el("h1", {}, "That did not work"), el("p", { class: "bad", role: "alert" }, error.message), el("p", {}, el("a", { href: "#/runs" }, "Runs"))];
  }
  if (turn !== shown) return;
  main.replaceChildren(...content.filter((part) => part !== ""));
  document.title = `${main.querySelector("h1").firstChild.data.replace(/: $/, "")} - sitejobs studio`;  // no names
  if (focus) main.focus();
}

window.addEventListener("hashchange", () => show(true));
try {
  const site = await ask("/api/site");
  example = site.example;
  document.getElementById("site").textContent = site.label + (site.users ? `, about ${count(site.users)} users` : "");
} catch (error) { status.textContent = error.message; }
show(false);
