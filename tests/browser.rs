//! The page in a real browser: it opens without errors, and people can use it, with a mouse, a keyboard, a phone.
// A test that cannot be set up must stop.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use fantoccini::Locator;
use fantoccini::key::Key;
use k1s_profile_gates::plan::{Gate, Profile};
use k1s_profile_gates::report::{self, RunReport};
use serde_json::{Value, json};

use support::browser::Browser;
use support::run_dir::{RunDir, red};

const STARTUP: Gate = Gate::Startup(Profile::HaMin);
/// Checks that are to be seen.
const SHOWN: &str = "return [...document.querySelectorAll('ul.checks > li')].filter(li => li.checkVisibility()).length";

/// Two gates with two checks each, one of them red on hostile evidence.
fn run() -> RunDir {
    let mut run = RunDir::new();
    let hostile = "</pre></script><script>document.title = 'taken over'</script><img src=x onerror='document.title=1'>";
    run.gate(STARTUP, hostile).checks.push(red("components-running", "etcd is down", "startup-k1s-ha-min.json"));
    let inventory = run.gate(Gate::Inventory, "{\"ok\": true}");
    let mut second = inventory.checks[0].clone();
    second.check = "expected-profiles".into();
    inventory.checks.push(second);
    let page = report::page(&RunReport::load(run.write()).unwrap());
    run.file("report.html", page);
    run
}

async fn open(run: &RunDir, width: u32) -> Browser {
    Browser::open(&run.path().join("report.html"), width).await
}

async fn count(browser: &Browser, script: &str) -> i64 {
    browser.run(script).await.as_i64().unwrap()
}

#[tokio::test]
async fn it_opens_without_a_word_on_the_console() {
    let run = run();
    let browser = open(&run, 1280).await;
    assert_eq!(browser.client.title().await.unwrap(), "Failed: k1s profile gates");
    assert_eq!(browser.console().await, Vec::<Value>::new());
    browser.close().await;
}

#[tokio::test]
async fn filters_show_what_was_asked_for() {
    let run = run();
    let browser = open(&run, 1280).await;
    let click = async |css: &str| browser.client.find(Locator::Css(css)).await.unwrap().click().await.unwrap();
    assert_eq!(count(&browser, SHOWN).await, 4);
    click("input[value=failed]").await;
    assert_eq!(count(&browser, SHOWN).await, 1);
    let said = browser.client.find(Locator::Css("#filters output")).await.unwrap().text().await.unwrap();
    assert_eq!(said, "1 of 4 checks");
    click("input[value=all]").await;
    let gate = browser.client.find(Locator::Css("select")).await.unwrap();
    // As from the keyboard: its list opens outside the page.
    gate.send_keys("inventory").await.unwrap();
    assert_eq!(count(&browser, SHOWN).await, 2);
    let text = browser.client.find(Locator::Css("input[type=search]")).await.unwrap();
    text.send_keys("EXPECTED-prof").await.unwrap();
    assert_eq!(count(&browser, SHOWN).await, 1);
    text.send_keys("no such thing").await.unwrap();
    assert_eq!(count(&browser, SHOWN).await, 0);
    browser.close().await;
}

#[tokio::test]
async fn the_evidence_of_a_failure_is_two_clicks_away() {
    let run = run();
    let browser = open(&run, 1280).await;
    let seen = "return [...document.querySelectorAll('#trouble pre')].filter(pre => pre.checkVisibility()).length";
    assert_eq!(count(&browser, seen).await, 0);
    browser.client.find(Locator::Css("#trouble .evidence > summary")).await.unwrap().click().await.unwrap();
    assert_eq!(count(&browser, seen).await, 1);
    browser.close().await;
}

#[tokio::test]
async fn a_link_to_a_check_opens_it_even_when_a_filter_hides_it() {
    let run = run();
    let browser = open(&run, 1280).await;
    browser.client.find(Locator::Css("input[value=passed]")).await.unwrap().click().await.unwrap();
    browser.client.find(Locator::Css("#trouble .where code")).await.unwrap().click().await.unwrap();
    let open = "return document.querySelector('#gate-startup--k1s-ha-min--components-running > details').open
        && document.querySelector('#gate-startup--k1s-ha-min--components-running').checkVisibility()";
    assert_eq!(browser.run(open).await, json!(true));
    browser.close().await;
}

#[tokio::test]
async fn the_keyboard_is_enough() {
    let run = run();
    let browser = open(&run, 1280).await;
    let mut reached = Vec::new();
    let mut invisible = Vec::new();
    let focus = "const e = document.activeElement, label = e.labels?.[0] ?? e, style = getComputedStyle(e);
        const marked = style.outlineStyle !== 'none' || getComputedStyle(label.querySelector('span') ?? label).outlineStyle !== 'none';
        return [e.tagName + '.' + e.className, marked]";
    for _ in 0..40 {
        browser.client.active_element().await.unwrap().send_keys(&Key::Tab).await.unwrap();
        let seen = browser.run(focus).await;
        let name = seen[0].as_str().unwrap().to_owned();
        if seen[1] != json!(true) && !name.starts_with("BODY") {
            invisible.push(name.clone());
        }
        reached.push(name);
    }
    assert!(invisible.is_empty(), "focused, and not seen to be: {invisible:?}");
    for wanted in ["A.skip", "A.", "SUMMARY.", "INPUT.", "SELECT."] {
        assert!(reached.iter().any(|name| name == wanted), "{wanted} is not reached: {reached:?}");
    }
    let check = browser.client.find(Locator::Css(".check.fail > summary")).await.unwrap();
    check.send_keys(&Key::Enter).await.unwrap();
    assert_eq!(browser.run("return document.querySelector('.check.fail').open").await, json!(true));
    browser.close().await;
}

#[tokio::test]
async fn it_can_be_found_one_s_way_around_in() {
    let run = run();
    let browser = open(&run, 1280).await;
    let problems = browser
        .run(
            "const problems = [];
            for (const landmark of ['header', 'nav', 'main', 'footer', 'form[role=search]'])
                if (document.querySelectorAll('body > ' + landmark + ', ' + landmark).length !== 1) problems.push('not one ' + landmark);
            let level = 0;
            for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
                const next = Number(heading.tagName[1]);
                if (next > level + 1) problems.push('skips a level: ' + heading.textContent);
                level = next;
            }
            const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
            for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push('twice: ' + id);
            for (const link of document.querySelectorAll('a[href^=\"#\"]'))
                if (!document.getElementById(link.getAttribute('href').slice(1))) problems.push('leads nowhere: ' + link.href);
            for (const e of document.querySelectorAll('[aria-labelledby]'))
                if (!document.getElementById(e.getAttribute('aria-labelledby'))) problems.push('no label: ' + e.outerHTML.slice(0, 80));
            for (const e of document.querySelectorAll('input, select')) if (!e.labels.length) problems.push('no label: ' + e.name);
            return problems",
        )
        .await;
    assert_eq!(problems, json!([]));
    browser.close().await;
}

/// The contrast of every text with what lies behind it, by the formula of WCAG 2: 4.5 at least, in either colour scheme.
#[tokio::test]
async fn text_stands_out_from_its_ground() {
    let script = "
        const parse = color => (color.match(/[\\d.]+/g) ?? []).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
        for (const details of document.querySelectorAll('details')) details.open = true;
        const weak = new Set();
        for (const e of document.querySelectorAll('body *')) {
            if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.checkVisibility() || ['SCRIPT', 'STYLE'].includes(e.tagName)) continue;
            const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
            const contrast = (a + 0.05) / (b + 0.05);
            if (contrast < 4.5) weak.add(e.tagName + '.' + e.className + ' ' + contrast.toFixed(2));
        }
        return [...weak]";
    let mut run = run();
    run.gate(Gate::Preflight, "{}").flaky = Some("409".into());
    run.open(Gate::Startup(Profile::DevMinSqlite), Some("validate"));
    run.summary.ended = None;
    let page = report::page(&RunReport::load(run.write()).unwrap());
    // The scheme is the reader's; here the page is told that it is always dark.
    run.file("dark.html", page.replace("(prefers-color-scheme: dark)", "all"));
    run.file("light.html", page);
    for scheme in ["light.html", "dark.html"] {
        let browser = Browser::open(&run.path().join(scheme), 1280).await;
        assert_eq!(browser.run(script).await, json!([]), "{scheme}");
        browser.close().await;
    }
}

#[tokio::test]
async fn it_fits_a_phone() {
    let run = run();
    // Chromium's windows are 500 wide at least; a frame is as narrow as a phone.
    run.file("phone.html", "<iframe src='report.html' style='width:360px;height:800px;border:0'></iframe>");
    let browser = Browser::open(&run.path().join("phone.html"), 800).await;
    browser.client.clone().enter_frame(0).await.unwrap();
    let wide = browser
        .run(
            "for (const details of document.querySelectorAll('details')) details.open = true;
            const wide = [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, pre, .chart, .sr, .skip') && e.getBoundingClientRect().right > 361);
            return [document.documentElement.clientWidth, wide.map(e => e.outerHTML.slice(0, 80))]",
        )
        .await;
    assert_eq!(wide[1], json!([]), "{wide}");
    assert!(wide[0].as_i64().unwrap() <= 360);
    browser.close().await;
}

#[tokio::test]
async fn without_scripts_everything_can_be_read() {
    let run = run();
    let page = std::fs::read_to_string(run.path().join("report.html")).unwrap();
    // The reader's browser runs none: here there is none.
    let (head, rest) = page.split_once("<script>").unwrap();
    let (_, tail) = rest.split_once("</script>").unwrap();
    run.file("plain.html", format!("{head}{tail}"));
    let browser = Browser::open(&run.path().join("plain.html"), 1280).await;
    assert_eq!(count(&browser, SHOWN).await, 4);
    let form = "return document.getElementById('filters').checkVisibility()";
    assert_eq!(browser.run(form).await, json!(false));
    browser.close().await;
}
