//! Scores as the command line and results write them.

use nvc::metrics::{Psnr, Scores};
use serde_json::{Value, json};

/// The keys of the command line's JSON; `null` where not defined.
pub fn scores_json(s: &Scores) -> Value {
    let psnr = |p: Option<Psnr>| p.map(|p| json!({"mean": p.mean, "pooled": p.pooled}));
    json!({
        "frames": s.frames, "width": s.width, "height": s.height,
        "psnr_y": psnr(s.psnr_y), "psnr_u": psnr(s.psnr_u), "psnr_v": psnr(s.psnr_v),
        "psnr_yuv611": psnr(s.psnr_yuv611), "psnr_rgb": psnr(s.psnr_rgb),
        "psnr_y601": psnr(s.psnr_y601), "psnr_alpha": psnr(s.psnr_alpha),
        "ms_ssim_y": s.ms_ssim_y, "rgb_matrix": s.rgb_matrix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nvc::frame::{Chroma, Frame, PixelFormat, VideoInfo};
    use nvc::metrics::Scorer;

    #[test]
    fn what_is_not_defined_is_null() {
        let format = PixelFormat::new8(Chroma::Gray);
        let frame = Frame::new(format, 4, 4);
        let mut scorer = Scorer::new(&VideoInfo::new(4, 4, format));
        scorer.add(&frame, &frame).unwrap();
        let j = scores_json(&scorer.finish().unwrap());
        assert_eq!(
            (j["psnr_y"]["mean"].as_f64(), j["frames"].as_u64()),
            (Some(100.0), Some(1))
        );
        let null = |k: &&str| j.get(k).is_some_and(Value::is_null);
        let none = ["psnr_u", "psnr_v", "psnr_yuv611", "psnr_rgb", "ms_ssim_y"];
        assert!(none.iter().all(null), "{j}");
    }
}
