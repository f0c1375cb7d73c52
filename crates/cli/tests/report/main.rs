//! The report in a real browser: what it shows, what its controls do, and that it asks nobody for
//! anything.
#![cfg(feature = "bench")]

mod sample;
#[path = "../../../media/tests/support/mod.rs"]
mod support;
mod webdriver;

use std::path::Path;

use nvc::metrics::bd_rate::{Method, bd_rate};
use nvc_lab::bench::report::{PICTURE_BUDGET, ReportInput, write_report};
use nvc_lab::bench::{Metric, Row, compressai};
use serde_json::{Value, json};
use webdriver::Browser;

/// Writes the sample's report to target/report-test.
fn write() -> (std::path::PathBuf, sample::Sample) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/report-test");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let sample = sample::make(&dir);
    let input = ReportInput {
        title: "Sample <of> a report & its parts".into(),
        description: "What <b>was</b> chosen.",
        date: "2026-01-31".into(),
        machine: "no machine: synthetic figures".into(),
        command: "nvc bench sample.toml -o 'a b'".into(),
        remarks: &["left out: vvenc: no ffmpeg has it".into()],
        points: &sample.points,
        sequences: &sample.sequences,
        anchor: sample::ANCHOR,
        metrics: &[
            Metric::PsnrRgb,
            Metric::PsnrY,
            Metric::MsSsimY,
            Metric::Vmaf,
        ],
        method: Method::Pchip,
        published: true,
        picture_budget: PICTURE_BUDGET,
    };
    write_report(&dir, &input).unwrap();
    let rows: Vec<&Row> = sample.points.iter().map(|p| &p.row).collect();
    compressai::write(&dir, &rows).unwrap();
    (dir, sample)
}

fn browser() -> Option<Browser> {
    match Browser::start() {
        Ok(b) => Some(b),
        Err(why) => {
            support::skipped(&why);
            None
        }
    }
}

fn texts(b: &Browser, selector: &str) -> Vec<String> {
    let all = b.run(&format!(
        "return [...document.querySelectorAll('{selector}')].map(e => e.textContent)"
    ));
    all.as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap().to_string())
        .collect()
}

fn set(b: &Browser, id: &str, value: &str) {
    b.run(&format!(
        "const e = document.getElementById('{id}'); e.value = '{value}'; e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change'))"
    ));
}

/// Red, green, blue at places of the canvas, as parts of its width and height.
fn pixels(b: &Browser, places: &[(f64, f64)]) -> Vec<[u8; 3]> {
    let list = json!(places);
    let values = b.run(&format!(
        "const c = document.getElementById('canvas'), x = c.getContext('2d');
         return {list}.map(([u, v]) => [...x.getImageData(Math.floor(u * c.width), Math.floor(v * c.height), 1, 1).data].slice(0, 3))"
    ));
    serde_json::from_value(values).unwrap()
}

fn file(b: &Browser, path: &Path) {
    use image::EncodableLayout;
    let text = b.screenshot();
    let digit = |c: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            .iter()
            .position(|d| *d == c)
            .unwrap_or(0) as u32
    };
    let mut bytes = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let bits = four.iter().fold(0, |v, &c| v << 6 | digit(c));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    std::fs::write(path, &bytes).unwrap();
    let image = image::load_from_memory(&bytes).unwrap().to_rgb8();
    assert!(image.width() > 360 && image.height() > 1000);
    // not blank
    assert!(image.as_bytes().iter().any(|v| *v != image.as_bytes()[0]));
}

#[test]
fn the_report_works_in_a_browser() {
    let (dir, sample) = write();
    let Some(b) = browser() else { return };
    b.resize(1280, 900);
    b.colours("light");
    b.open(&format!("file://{}", dir.join("report.html").display()));
    b.wait("return document.querySelectorAll('#rd svg').length === 1");

    let visible = "return [...document.querySelectorAll('header .description, header .remarks li')].filter(e => e.offsetParent).map(e => e.textContent)";
    assert_eq!(
        b.run(visible),
        json!([
            "What <b>was</b> chosen.",
            "left out: vvenc: no ffmpeg has it"
        ])
    );
    curves(&b, &sample);
    bd_table(&b, &sample);
    bits(&b);
    pictures(&b);
    assert_eq!(
        b.run("return [window.hacked, document.querySelectorAll('img:not([id^=pic-])').length]"),
        json!([null, 0])
    );
    assert!(
        texts(&b, "#point-table code")
            .iter()
            .any(|c| c.contains("</script>"))
    );

    set(&b, "view", "0");
    set(&b, "mode", "wipe");
    set(&b, "metric", "psnr_rgb");
    file(&b, &dir.join("1280.png"));
    b.colours("dark");
    file(&b, &dir.join("1280-dark.png"));
    b.colours("light");
    b.resize(400, 800);
    b.wait("return document.querySelector('#rd svg').viewBox.baseVal.width < 400");
    file(&b, &dir.join("400.png"));
    let wide = b.run("return document.documentElement.scrollWidth");
    assert!(
        wide.as_u64().unwrap() <= 400,
        "the page is {wide} pixels wide in a window of 400"
    );

    quiet(&b);
}

fn curves(b: &Browser, sample: &sample::Sample) {
    assert_eq!(
        texts(b, "#view option"),
        [
            "clip one",
            "uvg/Jockey",
            "average of 2",
            "UVG average, published points alone"
        ]
    );
    assert_eq!(
        texts(b, "#metric option"),
        ["PSNR RGB", "PSNR Y", "MS-SSIM Y", "VMAF"]
    );
    let count = |selector: &str| {
        b.run(&format!(
            "return document.querySelectorAll('{selector}').length"
        ))
    };
    assert_eq!(count("#rd polyline"), json!(3));
    assert_eq!(count("#rd .pt"), json!(12));
    assert_eq!(
        texts(b, "#legend button"),
        [
            "x265 medium",
            "nvc-hnerv small",
            "x264 <img src=x onerror=window.hacked=2> (weak)"
        ]
    );
    // progress of four points, and a dot for every point
    assert_eq!(
        (count("#time-chart polyline"), count("#time-chart .pt")),
        (json!(4), json!(12))
    );
    // VMAF is there for one curve only
    set(b, "metric", "vmaf");
    assert_eq!(
        (count("#rd polyline"), count("#rd .pt")),
        (json!(1), json!(4))
    );
    assert_eq!(count("#time-chart polyline"), json!(0));
    set(b, "metric", "psnr_rgb");
    // points stand where their figures say: higher rate to the right, higher quality above
    let order = "const p = [...document.querySelectorAll('#rd g[data-curve=\"x265 medium\"] .pt')].map(e => e.getBoundingClientRect());
        return p.every((r, i) => i == 0 || (r.x > p[i - 1].x && r.y < p[i - 1].y)) && p.length == 4";
    assert_eq!(b.run(order), json!(true));
    let left = "return document.querySelectorAll('#rd .pt')[5].getBoundingClientRect().x";
    let log = b.run(left);
    b.run("document.getElementById('logx').click()");
    assert_ne!(b.run(left), log, "a linear axis moves the points");
    b.run("document.getElementById('logx').click()");
    assert_eq!(b.run(left), log);
    // a curve is hidden and comes back
    b.run("document.querySelectorAll('#legend button')[1].click()");
    assert_eq!(
        (
            count("#rd polyline"),
            count("#rd .pt"),
            count("#time-chart polyline")
        ),
        (json!(2), json!(8), json!(0))
    );
    assert_eq!(
        b.run("return document.querySelectorAll('#legend button')[1].getAttribute('aria-pressed')"),
        json!("false")
    );
    b.run("document.querySelectorAll('#legend button')[1].click()");
    assert_eq!(count("#rd polyline"), json!(3));
    // pointing at a point tells its figures
    let at = b.run(
        "const e = document.querySelector('#rd g[data-curve=\"nvc-hnerv small\"] .pt'); e.scrollIntoView({block: 'center'});
         const r = e.getBoundingClientRect(); return [Math.round(r.x + r.width / 2), Math.round(r.y + r.height / 2)]",
    );
    b.point((at[0].as_i64().unwrap(), at[1].as_i64().unwrap()));
    let tip = texts(b, "#tip")[0].clone();
    let row = &sample
        .points
        .iter()
        .find(|p| p.row.codec == "nvc-hnerv")
        .unwrap()
        .row;
    assert!(
        tip.starts_with("nvc-hnerv small\nbpp=0.05\n")
            && tip.contains(&format!("PSNR RGB {:.2}", row.psnr_rgb.unwrap())),
        "{tip}"
    );
    assert_eq!(
        b.run("return document.getElementById('tip').hidden"),
        json!(false)
    );

    // a sequence of UVG has published curves, dashed
    set(b, "view", "1");
    let shown = count("#rd polyline.dashed").as_u64().unwrap();
    assert!(shown >= 3, "{shown}");
    assert_eq!(count("#rd polyline:not(.dashed)"), json!(3));
    assert!(
        texts(b, "#view-note")[0].contains("do not compare"),
        "{:?}",
        texts(b, "#view-note")
    );
    b.run("[...document.querySelectorAll('#legend .head button')][0].click()");
    let all = nvc_lab::bench::published::uvg().on("Jockey").count();
    assert_eq!(count("#rd polyline.dashed"), json!(all));
    // 16 frames of 96x54 are nothing that was published
    assert_eq!(
        texts(b, "#legend button")
            .iter()
            .filter(|t| t.ends_with("(not comparable)"))
            .count(),
        all
    );
    b.run("[...document.querySelectorAll('#legend .head button')][1].click()");
    assert_eq!(count("#rd polyline.dashed"), json!(0));
    // they are PSNRs of RGB and nothing else
    b.run("[...document.querySelectorAll('#legend .head button')][0].click()");
    set(b, "metric", "psnr_y");
    assert_eq!(count("#rd polyline.dashed"), json!(0));
    set(b, "metric", "psnr_rgb");
    set(b, "view", "2");
    assert_eq!(
        (count("#rd polyline"), count("#rd .pt")),
        (json!(3), json!(12))
    );
    set(b, "view", "3");
    assert!(count("#rd polyline.dashed").as_u64().unwrap() > 5);
    assert!(
        !texts(b, "#legend button")
            .iter()
            .any(|t| t.ends_with("(not comparable)"))
    );
    assert_eq!(
        b.run("return document.getElementById('time').hidden"),
        json!(true)
    );
    set(b, "view", "0");
    assert_eq!(
        b.run("return document.getElementById('time').hidden"),
        json!(false)
    );
}

fn bd_table(b: &Browser, sample: &sample::Sample) {
    let cells = |row: usize| {
        texts(
            b,
            &format!("#bd-psnr_rgb tbody tr:nth-child({}) > *", row + 1),
        )
    };
    assert_eq!(
        texts(b, "#bd-psnr_rgb thead th"),
        ["curve", "clip one", "uvg/Jockey", "mean (n = 2)"]
    );
    let curve = |codec: &str, sequence: &str| -> Vec<(f64, f64)> {
        let own = sample
            .points
            .iter()
            .filter(|p| p.row.codec == codec && p.row.sequence == sequence);
        own.map(|p| (p.row.bpp, p.row.psnr_rgb.unwrap())).collect()
    };
    for (n, codec) in sample::CODECS.iter().enumerate() {
        let want: Vec<f64> = sample
            .sequences
            .iter()
            .map(|s| {
                bd_rate(
                    &curve("x265", &s.name),
                    &curve(codec, &s.name),
                    Method::Pchip,
                )
                .unwrap()
                .value
            })
            .collect();
        let got = cells(n);
        let figure = |text: &str| {
            text.split(" %")
                .next()
                .unwrap()
                .parse::<f64>()
                .unwrap_or_else(|_| panic!("{text}"))
        };
        assert!(
            (figure(&got[1]) - want[0]).abs() < 0.051 && (figure(&got[2]) - want[1]).abs() < 0.051,
            "{got:?} {want:?}"
        );
        assert!(
            (figure(&got[3]) - (want[0] + want[1]) / 2.0).abs() < 0.051,
            "{got:?} {want:?}"
        );
    }
    assert!(cells(1)[0].starts_with("nvc-hnerv small") && cells(2)[0].ends_with("(weak)"));
    assert_eq!(cells(0)[1..], ["0.0 %", "0.0 %", "0.0 %"]);
    assert!(cells(1)[1].starts_with('-') && cells(2)[1].starts_with('+'));
    // no VMAF of the anchor: the reason stands below
    assert!(texts(b, "#bd-vmaf td")[0].starts_with("n/a"));
    assert!(
        texts(b, "#bd .notes li")
            .iter()
            .any(|t| t.contains("x265 medium on clip one has no VMAF at"))
    );
}

fn bits(b: &Browser) {
    let shown = "return [...document.querySelectorAll('#bits [data-view]')].filter(e => e.offsetParent).map(e => e.querySelectorAll('.stack').length)";
    assert_eq!(b.run(shown), json!([4]));
    let share = b
        .run("const s = document.querySelector('#bits .stack'); return s.querySelector('.weights').offsetWidth / s.offsetWidth")
        .as_f64()
        .unwrap();
    assert!((share - 0.6).abs() < 0.02, "{share}");
    set(b, "view", "2");
    assert_eq!(
        b.run("return document.getElementById('no-bits').hidden"),
        json!(false)
    );
    set(b, "view", "0");
    assert_eq!(
        b.run("return document.getElementById('no-bits').hidden"),
        json!(true)
    );
}

/// The sample's source is [100, 150, 200] with a gradient in red, and each decoded picture is
/// brighter by a known step.
fn pictures(b: &Browser) {
    let options = texts(b, "#left option");
    assert_eq!(options.len(), 13);
    assert!(
        options[0].starts_with("source, frame 3")
            && options[1].starts_with("x265 medium crf=37: 0.0300 bpp, PSNR RGB"),
        "{options:?}"
    );
    b.wait("return document.getElementById('right-caption').textContent !== ''");
    let (left, right) = ((0.25, 0.5), (0.75, 0.5));
    let red = |u: f64| 50 + (u * 96.0) as u8;
    let (source, decoded) = (|u| [red(u), 150, 200], |u| [red(u) + 5, 155, 205]);
    assert_eq!(
        pixels(b, &[left, right]),
        [source(0.25), decoded(0.75)],
        "half and half"
    );
    set(b, "wipe", "100");
    assert_eq!(
        pixels(b, &[left, right]),
        [decoded(0.25), decoded(0.75)],
        "the decoded picture"
    );
    set(b, "wipe", "900");
    assert_eq!(
        pixels(b, &[left, right]),
        [source(0.25), source(0.75)],
        "the source"
    );
    // dragged by hand: from the right to the far left
    let place = b.run(
        "const c = document.getElementById('canvas'); c.scrollIntoView({block: 'center'}); const r = c.getBoundingClientRect();
         return [r.x, r.y, r.width, r.height].map(Math.round)",
    );
    let [x, y, w, h]: [i64; 4] = serde_json::from_value(place).unwrap();
    b.drag((x + w * 9 / 10, y + h / 2), (x + w / 10, y + h / 2));
    assert_eq!(
        pixels(b, &[left, right]),
        [decoded(0.25), decoded(0.75)],
        "dragged"
    );
    let slider = b
        .run("return Number(document.getElementById('wipe').value)")
        .as_i64()
        .unwrap();
    assert!((slider - 100).abs() <= 5, "{slider}");

    set(b, "mode", "difference");
    assert_eq!(
        pixels(b, &[left, right]),
        [[40; 3]; 2],
        "a difference of 5, eightfold"
    );
    set(b, "amplify", "20");
    assert_eq!(pixels(b, &[left]), [[100; 3]]);
    assert_eq!(texts(b, "#amplify-value"), ["20×"]);
    set(b, "amplify", "8");
    let id = b.run("return document.getElementById('right').options[3].value");
    set(b, "right", id.as_str().unwrap());
    b.wait("return document.getElementById('right-caption').textContent.includes('crf=27')");
    assert_eq!(
        pixels(b, &[left, right]),
        [[24; 3]; 2],
        "another picture: a difference of 3"
    );

    set(b, "mode", "side");
    assert_eq!(
        b.run("const c = document.getElementById('canvas'); return [c.width, c.height]"),
        json!([2 * 96 + 4, 54])
    );
    assert_eq!(
        pixels(b, &[(0.1, 0.5), (0.9, 0.5)])
            .iter()
            .map(|p| p[1])
            .collect::<Vec<_>>(),
        [150, 153]
    );
    set(b, "mode", "wipe");
    set(b, "zoom", "2");
    assert_eq!(
        b.run("return document.getElementById('canvas').offsetWidth"),
        json!(192)
    );
    set(b, "zoom", "0");

    // the other sequence has one decoded picture only
    set(b, "picture-view", "1");
    assert_eq!(texts(b, "#left option").len(), 2);
    set(b, "picture-view", "0");
    set(b, "wipe", "500");
    b.wait("return document.getElementById('left-caption').textContent.startsWith('source')");
}

/// No message on the console, and nothing fetched but the file itself.
fn quiet(b: &Browser) {
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

#[test]
fn without_scripts_there_are_tables_diagrams_and_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample::make(dir.path());
    let input = ReportInput {
        title: "Without scripts".into(),
        description: "",
        date: String::new(),
        machine: String::new(),
        command: String::new(),
        remarks: &[],
        points: &sample.points,
        sequences: &sample.sequences,
        anchor: sample::ANCHOR,
        metrics: &[Metric::PsnrRgb],
        method: Method::Akima,
        published: false,
        picture_budget: PICTURE_BUDGET,
    };
    write_report(dir.path(), &input).unwrap();
    let Some(b) = browser() else { return };
    b.resize(1280, 900);
    b.scripts(false);
    b.open(&format!(
        "file://{}",
        dir.path().join("report.html").display()
    ));
    // clip one, uvg/Jockey and their average
    assert_eq!(
        b.run("return document.querySelectorAll('noscript svg').length"),
        json!(3)
    );
    assert_eq!(b.run("return document.querySelectorAll('noscript svg')[0].getBoundingClientRect().height > 300"), json!(true));
    assert_eq!(b.run("return document.querySelectorAll('#bd-psnr_rgb tbody tr, #point-table tbody tr').length"), json!(3 + 24));
    assert_eq!(
        b.run("return document.querySelectorAll('figure img').length"),
        json!(15)
    );
    assert_eq!(b.run("return [...document.querySelectorAll('.js, #theme')].every(e => e.offsetParent === null)"), json!(true));
}

#[test]
fn reports_of_nothing_and_of_one_point_have_no_errors() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample::make(dir.path());
    let Some(b) = browser() else { return };
    b.resize(800, 600);
    for (points, shown) in [(&sample.points[..0], 0), (&sample.points[..1], 1)] {
        let input = ReportInput {
            title: "Little".into(),
            description: "",
            date: String::new(),
            machine: String::new(),
            command: String::new(),
            remarks: &[],
            points,
            sequences: &[],
            anchor: sample::ANCHOR,
            metrics: &Metric::ALL,
            method: Method::Pchip,
            published: false,
            picture_budget: PICTURE_BUDGET,
        };
        write_report(dir.path(), &input).unwrap();
        b.open(&format!(
            "file://{}",
            dir.path().join("report.html").display()
        ));
        b.wait("return !document.getElementById('theme').hidden");
        assert_eq!(
            b.run("return document.querySelectorAll('#rd .pt').length"),
            json!(shown)
        );
        assert_eq!(
            b.run("return document.querySelector('#curves .js').hidden"),
            json!(shown == 0)
        );
        // of one point's picture there is no other to compare with, but it is shown
        assert_eq!(
            b.run("return document.querySelectorAll('#canvas').length"),
            json!(shown)
        );
        b.wait("return [...document.images].every(i => i.complete || i.loading === 'lazy')");
        let console = b.log("browser");
        assert!(console.is_empty(), "{console:?}");
    }
}
