//! A headless Chromium, driven as a person would use it, over the `WebDriver` protocol.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A page in a browser of its own; both end with it.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Opens a page in a window of that size.
    pub(crate) async fn open(page: &Path, width: u32) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (mut driver, port) = driver(profile.path());
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let mut arguments: Vec<String> = flags.map(String::from).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--window-size={width},900"));
        let options = json!({
            "binary": program(&["chromium", "chromium-browser", "google-chrome"]),
            "args": arguments,
        });
        let capabilities = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let connected = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        let client = match connected {
            Ok(client) => client,
            Err(error) => {
                let _ = driver.kill();
                panic!("Chromium does not start: {error}\n{REMEDY}");
            }
        };
        client.goto(&format!("file://{}", page.display())).await.unwrap();
        Self { client, driver, _profile: profile }
    }

    /// Runs a script, and returns its result.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Returns the messages of the browser's console.
    pub(crate) async fn console(&self) -> Vec<Value> {
        self.client.issue_cmd(ConsoleLog).await.unwrap().as_array().cloned().unwrap_or_default()
    }

    /// Ends the browser.
    pub(crate) async fn close(self) {
        let _ = self.client.clone().close().await;
    }
}

impl Drop for Browser {
    /// Also of a test that failed: the driver's browser is in its process group, and would outlive it.
    fn drop(&mut self) {
        let group = i32::try_from(self.driver.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
        let _ = self.driver.wait();
    }
}

const REMEDY: &str =
    "remedy: make browser (or: sudo apt-get install -y --no-install-recommends chromium chromium-driver)";

fn program(names: &[&str]) -> PathBuf {
    let found = names.iter().find_map(|name| which::which(name).ok());
    found.unwrap_or_else(|| panic!("there is no {} on PATH: the page cannot be tested\n{REMEDY}", names[0]))
}

/// chromedriver on a free port, which it tells. Files that its browser makes beside its profile row in that folder too.
fn driver(folder: &Path) -> (Child, u16) {
    let mut driver = Command::new(program(&["chromedriver"]))
        .arg("--port=0")
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(driver.stdout.take().unwrap());
    let mut line = String::new();
    while said.read_line(&mut line).unwrap() > 0 {
        if let Some((_, port)) = line.trim().trim_end_matches('.').split_once("started successfully on port ") {
            let port = port.parse().unwrap();
            // Read on, or it would be stopped by a full pipe.
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return (driver, port);
        }
        line.clear();
    }
    let _ = driver.kill();
    let _ = driver.wait();
    panic!("chromedriver ended without a word on its port\n{REMEDY}");
}

/// Chromium's own command: the console's messages.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
