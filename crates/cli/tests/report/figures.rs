//! Curves, BD-rates and bits as the page shows them.

use serde_json::json;

use crate::page::{set, texts};
use crate::sample;
use crate::webdriver::Browser;
use nvc::metrics::bd_rate::{Method, bd_rate};

pub fn curves(b: &Browser, sample: &sample::Sample) {
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

pub fn bd_table(b: &Browser, sample: &sample::Sample) {
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

pub fn bits(b: &Browser) {
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
