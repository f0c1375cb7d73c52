//! Anchors at a wanted size.

use nvc::frame::Chroma;
use nvc_lab::anchors::{AnchorOptions, AnchorSpec, run_anchor};

use crate::{frames, info, source, there};

#[test]
fn anchors_reach_the_size() {
    let i = info(Chroma::Yuv420, 8, 192, 176);
    let all = frames(&i, 12);
    let reopen = source(&i, &all);
    let specs = ["x264", "x265:ultrafast:psnr"].map(|s| s.parse::<AnchorSpec>().unwrap());
    for spec in specs.iter().filter(|s| there(s)) {
        let a = run_anchor(spec, &reopen, &i, 9000, &AnchorOptions::default()).unwrap();
        assert!(
            a.note.is_some() || (a.bytes as f64 / 9000.0 - 1.0).abs() <= 0.01,
            "{a:?}"
        );
        assert_eq!(a.scores.frames, 12);
        assert!(a.scores.psnr_y.unwrap().mean > 20.0 && a.scores.ms_ssim_y.is_some());
        // of no folder of this run
        let folder = std::env::temp_dir().display().to_string();
        assert!(
            a.command.starts_with("ffmpeg ")
                && a.command.contains("-crf")
                && !a.command.contains(&folder),
            "{}",
            a.command
        );
    }
    let rgb = info(Chroma::Rgb, 8, 16, 16);
    let e = run_anchor(&specs[0], &reopen, &rgb, 1000, &AnchorOptions::default()).unwrap_err();
    assert_eq!(e.exit_code(), 5);
}
