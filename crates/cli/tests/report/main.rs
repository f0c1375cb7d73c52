//! The report in a real browser: what it shows, what its controls do, and that it fetches nothing.
#![cfg(feature = "bench")]

mod figures;
mod page;
mod pictures;
mod quiet;
mod sample;
#[path = "../../../media/tests/support/mod.rs"]
mod support;
mod webdriver;

use serde_json::json;

use figures::{bd_table, bits, curves};
use nvc::metrics::bd_rate::Method;
use nvc_lab::bench::Metric;
use nvc_lab::bench::report::{PICTURE_BUDGET, ReportInput, write_report};
use page::{browser, file, set, texts, write};
use pictures::pictures;
use quiet::quiet;

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
