//! Memory of a run.

use std::time::Duration;

use crate::support::peak_bytes;
use crate::workspace::Workspace;

/// A raw 1080p file named as UVG's goes through a data set's name, and memory follows the frame,
/// not the file.
#[test]
fn raw_1080p_by_name_in_bounded_memory() {
    let p = Workspace::new();
    let name = "Ramp_1920x1080_120fps_420_8bit_YUV.yuv";
    let frame: Vec<u8> = (0..1920 * 1080 * 3 / 2)
        .map(|i| (i / 7 % 251) as u8)
        .collect();
    let mut raw = std::io::BufWriter::new(std::fs::File::create(p.path(name)).unwrap());
    for _ in 0..40 {
        std::io::Write::write_all(&mut raw, &frame).unwrap();
    }
    drop(raw);
    let entry = format!(
        "[[entry]]\nname = \"Ramp\"\nwidth = 1920\nheight = 1080\nframes = 40\npix_fmt = \"yuv420p\"\nfps = 120\nfile = \"{name}\"\n"
    );
    let manifest = p.write(
        "set.toml",
        &format!("schema = 1\nname = \"like-uvg\"\ntitle = \"One ramp\"\n{entry}"),
    );
    p.plan(&p.codec().replace("[1, 2, 3]", "[1]"));
    let mut peaks = Vec::new();
    for frames in [8, 40] {
        let range = format!("0..{frames}");
        let mut c = p.bench(&["--dataset", "like-uvg/Ramp", "--frames", &range, "--root"]);
        c.arg(p.path("root")).arg("--manifest").arg(&manifest);
        let mut child = c.stdout(std::process::Stdio::null()).spawn().unwrap();
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            peak = peak.max(peak_bytes(child.id()).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(child.wait().unwrap().success());
        assert_eq!(
            (p.rows()[0].frames, p.rows()[0].psnr_611),
            (frames, Some(100.0))
        );
        peaks.push(peak);
    }
    // the samples of 32 more frames take 199 MB
    assert!(
        peaks[0] > 1_000_000 && peaks[1] < peaks[0] + (40 << 20),
        "{peaks:?} bytes"
    );
}
