// The page without this script is whole: figures and forms come from the node as HTML. This adds what needs a script:
// charts, figures that renew themselves, local times, columns to choose, and colours to choose.
"use strict";

const DAY = 86400;
const RANGES = [[2, "2 days"], [7, "week"], [30, "month"], [90, "quarter"], [365, "year"]];
const charts = [];

function remember(key, value) {
	try {
		localStorage.setItem(key, value);
	} catch (e) {
		// Not kept; it works until the page is left.
	}
}

function recall(key) {
	try {
		return localStorage.getItem(key);
	} catch (e) {
		return null;
	}
}

// Figures for axes and legends.

function withUnit(value, unit) {
	if (value === null || value === undefined || Number.isNaN(value))
		return "–";
	if (unit === "bytes") {
		const names = ["B", "KB", "MB", "GB", "TB", "PB"];
		let i = 0;
		while (Math.abs(value) >= 1000 && i < names.length - 1) {
			value /= 1000;
			i++;
		}
		return Number(value.toPrecision(3)) + " " + names[i];
	}
	if (unit === "ms")
		return value >= 1000 ? (value / 1000).toFixed(1) + " s" : value.toFixed(value < 10 ? 1 : 0) + " ms";
	if (unit === "score")
		return (100 * value).toFixed(1) + " %";
	return value.toLocaleString("en", {maximumFractionDigits: 2});
}

function color(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function palette(count) {
	return [1, 2, 3, 4, 5, 6].slice(0, count).map((i) => color("--c" + i));
}

// Charts.

// The library's own legend comes with inline styles, which the page's policy forbids.
function legend(data) {
	const at = data.x === undefined ? "" : new Date(data.x).toISOString().slice(0, 16).replace("T", " ");
	const time = at === "" ? "" : `<b>${at}</b> `;
	const value = (s) => s.yHTML === undefined ? "" : ": " + s.yHTML;
	const entry = (s, i) => `<span class="key k${i + 1}"></span>${s.labelHTML}${value(s)}`;
	return time + data.series.map(entry).join(" ");
}

// A dashed line where a score becomes too low, in the colour of the score.
function drawLimits(series) {
	return (canvas, area, graph) => {
		series.labels.slice(1).forEach((label, i) => {
			if (!series.limits || !(label in series.limits))
				return;
			const y = graph.toDomYCoord(series.limits[label]);
			canvas.save();
			canvas.strokeStyle = color("--c" + (i + 1));
			canvas.setLineDash([6, 4]);
			canvas.beginPath();
			canvas.moveTo(area.x, y);
			canvas.lineTo(area.x + area.w, y);
			canvas.stroke();
			canvas.restore();
		});
	};
}

function draw(figure, series) {
	const plot = figure.querySelector(".plot");
	const rows = series.rows.map((row) => [new Date(1000 * row[0]), ...row.slice(1)]);
	if (rows.length === 0) {
		plot.textContent = "Nothing is recorded of this time yet.";
		return;
	}
	plot.textContent = "";
	const stacked = figure.dataset.stacked === "yes";
	const graph = new Dygraph(plot, rows, {
		labels: series.labels,
		labelsDiv: figure.querySelector(".legend"),
		legend: "always",
		legendFormatter: legend,
		labelsUTC: true,
		stackedGraph: stacked,
		fillGraph: stacked,
		stepPlot: stacked,
		connectSeparatedPoints: !stacked,
		includeZero: true,
		valueRange: series.unit === "score" ? [0, 1.02] : undefined,
		underlayCallback: drawLimits(series),
		drawPoints: rows.length < 60,
		pointSize: 2,
		strokeWidth: 1.6,
		colors: palette(series.labels.length - 1),
		gridLineColor: color("--line"),
		axisLineColor: color("--line"),
		showRangeSelector: rows.length > 2,
		rangeSelectorHeight: 32,
		rangeSelectorPlotFillColor: color("--c1"),
		rangeSelectorPlotStrokeColor: color("--c1"),
		axes: {
			x: {axisLabelWidth: 72},
			y: {
				axisLabelFormatter: (v) => withUnit(v, series.unit),
				valueFormatter: (v) => withUnit(v, series.unit),
				axisLabelWidth: 64,
			},
		},
	});
	charts.push(graph);
	figure.dataset.drawn = rows.length;
}

async function load(figure, days) {
	const query = new URLSearchParams({what: figure.dataset.what});
	const now = Number(document.body.dataset.now) + Math.floor(performance.now() / 1000);
	query.set("from", now - days * DAY);
	query.set("until", now + 1);
	if (figure.dataset.satellite)
		query.set("satellite", figure.dataset.satellite);
	figure.dataset.days = days;
	for (const button of figure.querySelectorAll(".ranges button"))
		button.setAttribute("aria-pressed", String(Number(button.dataset.days) === days));
	const answer = await fetch("/api/v1/history?" + query);
	if (answer.ok)
		draw(figure, await answer.json());
}

function addCharts() {
	for (const figure of document.querySelectorAll("figure.chart")) {
		const ranges = figure.querySelector(".ranges");
		for (const [days, name] of RANGES) {
			const button = document.createElement("button");
			button.type = "button";
			button.textContent = name;
			button.dataset.days = days;
			button.addEventListener("click", () => load(figure, days));
			ranges.append(button);
		}
		load(figure, Number(figure.dataset.days));
	}
}

// Times as people here read them; the node's form stays in a title.

function localTimes(root) {
	for (const time of root.querySelectorAll("time[datetime]")) {
		time.title = time.textContent;
		const form = {dateStyle: "medium", timeStyle: "short"};
		time.textContent = new Date(time.dateTime).toLocaleString(undefined, form);
	}
}

// Columns of the table of nodes.

function showColumns() {
	const hidden = new Set(JSON.parse(recall("hidden-columns") || "[]"));
	for (const cell of document.querySelectorAll("table.nodes [data-col]"))
		cell.hidden = hidden.has(cell.dataset.col);
	const place = document.getElementById("columns");
	if (!place || place.childElementCount > 0)
		return;
	for (const head of document.querySelectorAll("table.nodes thead [data-col]")) {
		const label = document.createElement("label"), box = document.createElement("input");
		box.type = "checkbox";
		box.checked = !hidden.has(head.dataset.col);
		box.addEventListener("change", () => {
			if (box.checked)
				hidden.delete(head.dataset.col);
			else
				hidden.add(head.dataset.col);
			remember("hidden-columns", JSON.stringify([...hidden]));
			showColumns();
		});
		label.append(box, " ", head.textContent);
		place.append(label);
	}
}

function enhance() {
	localTimes(document.getElementById("live"));
	showColumns();
}

// Renewal: the node says that something changed, and the page asks for its part.

function busy(live) {
	const focus = document.activeElement;
	return live.contains(focus) && ["INPUT", "BUTTON", "SELECT"].includes(focus.tagName);
}

async function renew() {
	const live = document.getElementById("live");
	const query = new URLSearchParams(location.search);
	query.set("part", "1");
	const answer = await fetch(location.pathname + "?" + query);
	if (answer.status === 401)
		location.reload();
	if (!answer.ok || busy(live))
		return;
	const closed = [...live.querySelectorAll("details")].filter((d) => !d.open).map((d) => d.id);
	live.innerHTML = await answer.text();
	for (const id of closed)
		live.querySelector("#" + id)?.removeAttribute("open");
	enhance();
	live.dataset.renewed = Number(live.dataset.renewed || 0) + 1;
}

function listen() {
	const source = new EventSource("/api/v1/stream");
	let waiting = false;
	source.onmessage = () => {
		if (waiting || document.hidden)
			return;
		waiting = true;
		renew().finally(() => { waiting = false; });
	};
	source.onopen = () => { document.body.dataset.live = "yes"; };
	source.onerror = () => { document.body.dataset.live = "no"; };
	document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
}

// Colours.

function themeButton() {
	const button = document.getElementById("theme");
	const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
	const shown = () => document.documentElement.dataset.theme || system;
	const name = () => { button.textContent = shown() === "dark" ? "Light" : "Dark"; };
	button.hidden = false;
	name();
	button.addEventListener("click", () => {
		const next = shown() === "dark" ? "light" : "dark";
		document.documentElement.dataset.theme = next;
		remember("theme", next);
		name();
		for (const graph of charts.splice(0))
			graph.destroy();
		for (const figure of document.querySelectorAll("figure.chart"))
			load(figure, Number(figure.dataset.days));
	});
}

enhance();
addCharts();
listen();
themeButton();
