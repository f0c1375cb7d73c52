use super::*;
use crate::bench::{Metric, Row};
use ::nvc::metrics::bd_rate::Method;

/// A curve of slope 10 dB a decade, shifted by `gain` dB: a gain of 1 dB is a BD-rate of 10^-0.1 -
/// 1 = -20.6 %.
fn curve(codec: &str, sequence: &str, gain: f64) -> Vec<Row> {
    let point = |bpp: f64| Row {
        codec: codec.into(),
        config: "medium".into(),
        point: format!("crf={}", (100.0 * bpp) as u32),
        sequence: sequence.into(),
        frames: 10,
        width: 64,
        height: 48,
        bytes: (bpp * 3840.0) as u64,
        bpp,
        psnr_rgb: Some(40.0 + gain + 10.0 * bpp.log10()),
        psnr_y: Some(42.0 + gain + 10.0 * bpp.log10()),
        enc_s: 2.0,
        dec_s: 0.25,
        ..Row::default()
    };
    [0.1, 0.2, 0.4, 0.8].map(point).to_vec()
}

fn table(rows: &[Row]) -> BdTable {
    BdTable::new(
        &rows.iter().collect::<Vec<_>>(),
        "x265 medium",
        Metric::PsnrRgb,
        Method::Pchip,
    )
    .unwrap()
}

#[test]
fn gains_losses_and_the_anchor_itself() {
    let mut rows = curve("nvc", "s1", -1.0);
    rows.extend(curve("x265", "s1", 0.0));
    rows.extend(curve("nvc", "s2", 1.0));
    rows.extend(curve("x265", "s2", 0.0));
    rows[0].weak = "yes".into();
    let t = table(&rows);
    assert_eq!(
        (t.sequences.clone(), t.common.clone()),
        (
            vec!["s1".into(), "s2".into()],
            vec!["s1".into(), "s2".into()]
        )
    );
    assert_eq!(
        t.lines.iter().map(|l| l.curve.as_str()).collect::<Vec<_>>(),
        ["nvc medium", "x265 medium"]
    );
    let (nvc, anchor) = (&t.lines[0], &t.lines[1]);
    assert!(nvc.weak && !anchor.weak);
    assert!(
        (nvc.cells[0].percent.unwrap() - 25.8925).abs() < 1e-3
            && (nvc.cells[1].percent.unwrap() + 20.5672).abs() < 1e-3
    );
    assert!((nvc.mean.unwrap() - 2.6627).abs() < 1e-3);
    assert!(anchor.cells.iter().all(|c| c.percent == Some(0.0)) && anchor.mean == Some(0.0));
    assert!(t.notes.is_empty());
    let text = t.markdown();
    assert!(
        text.contains("| nvc medium (weak) | +25.9 % | -20.6 % | +2.7 % |\n"),
        "{text}"
    );
    assert!(
        text.contains("| x265 medium | 0.0 % | 0.0 % | 0.0 % |\n"),
        "{text}"
    );
    assert!(
        text.contains("| curve | s1 | s2 | mean (n = 2) |\n| --- | ---: | ---: | ---: |\n"),
        "{text}"
    );
    assert!(!text.contains("The mean is over"), "{text}");
}

#[test]
fn what_is_not_defined_says_why_and_leaves_the_mean() {
    let mut rows = curve("x265", "s1", 0.0);
    rows.extend(curve("x265", "s2", 0.0));
    rows.extend(curve("far", "s1", 30.0));
    rows.extend(curve("far", "s2", 1.0));
    rows.extend(curve("few", "s2", 0.5)[..2].to_vec());
    rows.extend(curve("short", "s1", 0.0));
    rows.last_mut().unwrap().frames = 9;
    rows.extend(curve("blind", "s2", 1.0));
    rows.last_mut().unwrap().psnr_rgb = None;
    rows.extend(curve("good", "s1", 1.0));
    rows.extend(curve("good", "s2", 1.0));
    let t = table(&rows);
    let cell = |curve: &str, n: usize| {
        t.lines
            .iter()
            .find(|l| l.curve.starts_with(curve))
            .unwrap()
            .cells[n]
    };
    let note = |curve: &str, n: usize| t.notes[cell(curve, n).note.unwrap() - 1].as_str();
    assert_eq!(
        note("far", 0),
        "s1: no overlap: the anchor covers 30.000 to 39.031, the test 60.000 to 69.031"
            .replace("the anchor", "x265 medium")
            .replace("the test", "far medium")
    );
    assert_eq!(note("few", 0), "few medium was not run on s1");
    assert_eq!(
        note("few", 1),
        "s2: few medium has 2 distinct points, 3 are needed"
    );
    assert_eq!(
        note("short", 0),
        "the points on s1 are not of the same pictures: 10 frames of 64x48 and 9 frames of 64x48"
    );
    assert_eq!(
        note("blind", 1),
        "blind medium on s2 has no PSNR RGB at crf=80"
    );
    // "few", "short" and "blind" have no figure at all and do not count
    assert_eq!(t.common, ["s2"]);
    let mean = |curve: &str| {
        t.lines
            .iter()
            .find(|l| l.curve.starts_with(curve))
            .unwrap()
            .mean
    };
    assert_eq!(mean("few"), None);
    assert!((mean("good").unwrap() + 20.5672).abs() < 1e-3 && mean("far") == mean("good"));
    let text = t.markdown();
    assert!(
        text.contains("mean (n = 1)") && text.contains("one: s2."),
        "{text}"
    );
    assert!(
        text.contains(&format!(
            "| few medium | n/a \\[{}\\] |",
            cell("few", 0).note.unwrap()
        )),
        "{text}"
    );
}

#[test]
fn other_methods_and_small_overlaps_are_told() {
    let mut rows = curve("x265", "s1", 0.0);
    rows.extend(curve("bent", "s1", 0.0));
    for (row, q) in rows[4..].iter_mut().zip([30.2, 35.0, 35.2, 39.0]) {
        row.psnr_rgb = Some(q);
    }
    rows.extend(curve("high", "s1", 3.5));
    let t = table(&rows);
    let bent = &t.notes[t.lines[1].cells[0].note.unwrap() - 1];
    assert!(
        bent.starts_with("bent medium on s1: ") && bent.contains(" by cubic"),
        "{bent}"
    );
    let high = &t.notes[t.lines[2].cells[0].note.unwrap() - 1];
    assert_eq!(
        high,
        "high medium on s1: the curves share 61 % of the shorter one"
    );
}

#[test]
fn an_unknown_anchor_names_those_there_are() {
    let rows = curve("x265", "s1", 0.0);
    let refs: Vec<&Row> = rows.iter().collect();
    let e = BdTable::new(&refs, "x264", Metric::PsnrY, Method::Akima)
        .unwrap_err()
        .to_string();
    assert_eq!(
        e,
        "no curve is named 'x264' to compare against; there are: x265 medium"
    );
    assert!(BdTable::new(&[], "x264", Metric::PsnrY, Method::Akima).is_err());
}

#[test]
fn points_have_columns_for_what_there_is_and_names_are_escaped() {
    let mut rows = curve("a|b", "s_1\n<i>", 0.0);
    rows.truncate(2);
    rows[0].params = Some(1500);
    rows[1].note = "missed *its* size".into();
    rows[1].psnr_y = None;
    rows[1].dec_s = 0.0;
    let refs: Vec<&Row> = rows.iter().collect();
    let text = points(&refs);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "| sequence | curve | point | frames | bytes | bpp | PSNR RGB | PSNR Y | enc s | dec fps | params | note |"
    );
    assert_eq!(
        lines[2],
        "| s\\_1 &lt;i&gt; | a\\|b medium | crf=10 | 10 | 384 | 0.1000 | 30.00 | 32.00 | 2.0 | 40.0 | 1500 |  |"
    );
    assert!(
        lines[3].contains("| n/a | 2.0 | n/a |  | missed \\*its\\* size |"),
        "{}",
        lines[3]
    );
    assert_eq!(lines.len(), 4);
    assert_eq!(points(&[]).lines().count(), 2);
}

#[test]
fn percents_have_signs_and_no_negative_zero() {
    assert_eq!(
        [
            Some(-0.04),
            Some(0.0),
            Some(0.04),
            Some(12.34),
            Some(-99.99),
            None
        ]
        .map(percent),
        ["0.0 %", "0.0 %", "0.0 %", "+12.3 %", "-100.0 %", "n/a"]
    );
}
