//! What the browser notes down while the page is used.

use serde_json::Value;

use crate::webdriver::Browser;

/// No message on the console, and nothing fetched but the file itself.
pub fn quiet(b: &Browser) {
    let console = b.log("browser");
    assert!(console.is_empty(), "{console:?}");
    // the browser's own start page asks for things too
    let requests: Vec<(String, String)> = b
        .log("performance")
        .iter()
        .filter_map(|e| {
            let message: Value = serde_json::from_str(e["message"].as_str()?).ok()?;
            let (message, text) = (&message["message"], |v: &Value| {
                v.as_str().unwrap_or_default().to_string()
            });
            let parameters = &message["params"];
            (message["method"] == "Network.requestWillBeSent").then(|| {
                (
                    text(&parameters["documentURL"]),
                    text(&parameters["request"]["url"]),
                )
            })
        })
        .filter(|(page, _)| !page.starts_with("chrome://"))
        .collect();
    let own = |url: &str| url.starts_with("file://") && url.ends_with("/report-test/report.html");
    assert!(requests.iter().any(|(_, url)| own(url)), "{requests:?}");
    let foreign: Vec<_> = requests
        .iter()
        .filter(|(_, url)| !url.starts_with("data:") && !own(url))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    // both logs do tell
    b.run("console.error('probe'); fetch('http://127.0.0.1:9/').catch(() => 0)");
    b.wait("return true");
    let console = b.log("browser");
    assert!(
        console
            .iter()
            .any(|e| e["message"].as_str().unwrap().contains("probe")),
        "{console:?}"
    );
    assert!(
        console.iter().any(|e| e["message"]
            .as_str()
            .unwrap()
            .contains("Content Security Policy")),
        "{console:?}"
    );
}
