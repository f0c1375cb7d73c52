//! The figures of several codecs side by side, as text.

use super::run::Anchor;
use super::spec::AnchorSpec;
use nvc::metrics::{Psnr, Scores};

/// A row of [`score_table`].
#[derive(Clone, Debug)]
pub struct TableRow<'a> {
    /// First column.
    pub codec: &'a str,
    /// Second column.
    pub preset: String,
    /// Bytes of the stream.
    pub bytes: u64,
    /// Bits per luma sample.
    pub bpp: f64,
    /// Quality.
    pub scores: &'a Scores,
}

/// One row for our own stream and one for each anchor, with mean PSNR; then the anchors' command
/// lines, and why others `failed`.
pub fn score_table(own: &TableRow, anchors: &[Anchor], failed: &[(AnchorSpec, String)]) -> String {
    let mut rows = vec![
        [
            "codec",
            "preset",
            "bytes",
            "bpp",
            "PSNR Y",
            "6:1:1",
            "RGB",
            "MS-SSIM Y",
        ]
        .map(String::from),
    ];
    let mut add = |r: &TableRow| {
        let db = |p: Option<Psnr>| p.map_or("-".into(), |p| format!("{:.3}", p.mean));
        let s = r.scores;
        let ms_ssim = s.ms_ssim_y.map_or("-".into(), |v| format!("{v:.5}"));
        let bytes = r.bytes.to_string();
        rows.push([
            r.codec.into(),
            r.preset.clone(),
            bytes,
            format!("{:.5}", r.bpp),
            db(s.psnr_y),
            db(s.psnr_yuv611),
            db(s.psnr_rgb),
            ms_ssim,
        ]);
    };
    add(own);
    for a in anchors {
        add(&TableRow {
            codec: a.spec.codec_name(),
            preset: a.preset(),
            bytes: a.bytes,
            bpp: a.bpp,
            scores: &a.scores,
        });
    }
    rows.extend(failed.iter().map(|(spec, _)| {
        [spec.codec_name(), &spec.config(), "n/a", "", "", "", "", ""].map(String::from)
    }));
    let widths: [usize; 8] =
        std::array::from_fn(|c| rows.iter().map(|r| r[c].len()).max().unwrap_or(0));
    let mut text = String::new();
    for r in &rows {
        let line: Vec<String> = (0..8)
            .map(|c| {
                if c < 2 {
                    format!("{:<1$}", r[c], widths[c])
                } else {
                    format!("{:>1$}", r[c], widths[c])
                }
            })
            .collect();
        text += line.join("  ").trim_end();
        text += "\n";
    }
    for a in anchors {
        text += &format!("{}: {}\n", a.spec.codec_name(), a.command);
        if let Some(note) = &a.note {
            text += &format!("{}: {note}\n", a.spec.codec_name());
        }
    }
    for (spec, why) in failed {
        text += &format!("{}: n/a ({why})\n", spec.codec_name());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_gaps_are_dashes() {
        let psnr = |mean| Some(Psnr { mean, pooled: 0.0 });
        let scores = Scores {
            frames: 1,
            width: 16,
            height: 16,
            psnr_y: psnr(31.25),
            psnr_u: None,
            psnr_v: None,
            psnr_yuv611: None,
            psnr_rgb: psnr(30.0),
            psnr_y601: None,
            psnr_alpha: None,
            ms_ssim_y: None,
            rgb_matrix: None,
        };
        let anchor = Anchor {
            spec: "x265:veryslow:psnr".parse().unwrap(),
            quality: 31.5,
            version: "x265 3.5".into(),
            command: "ffmpeg ...".into(),
            bytes: 1234,
            bytes_with_identification: 2345,
            bpp: 0.5,
            scores: scores.clone(),
            encode_seconds: 1.0,
            decode_seconds: 1.0,
            note: Some("+2.0 % off".into()),
        };
        let own = TableRow {
            codec: "nvc",
            preset: "medium".into(),
            bytes: 98765,
            bpp: 0.5,
            scores: &scores,
        };
        let want = "\
codec  preset         bytes      bpp  PSNR Y  6:1:1     RGB  MS-SSIM Y
nvc    medium         98765  0.50000  31.250      -  30.000          -
x265   veryslow:psnr   1234  0.50000  31.250      -  30.000          -
x265: ffmpeg ...
x265: +2.0 % off
";
        assert_eq!(score_table(&own, &[anchor], &[]), want);
    }
}
