//! Pictures as the page compares them.

use serde_json::json;

use crate::page::{pixels, set, texts};
use crate::webdriver::Browser;

/// The sample's source is [100, 150, 200] with a gradient in red, and each decoded picture is
/// brighter by a known step.
pub fn pictures(b: &Browser) {
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
