//! Quality of a picture sequence against its reference: PSNR and MS-SSIM.
//!
//! PSNR is that of integer samples, 100 dB where a plane is equal. `mean` is the mean over frames
//! of the frame's PSNR, `pooled` the PSNR of the squared error averaged over all frames. RGB is
//! that of 8-bit pictures converted by [`ToRgb`]. MS-SSIM is Wang's of 2003 on luma, mean over
//! frames. RGB pictures have the luma of BT.601 at full range, rounded to integers, for MS-SSIM and
//! for a PSNR of its own.
//!
//! Pictures with alpha are compared as they look on black and on white: the squared error of gray or
//! RGB is the mean over both. MS-SSIM and BT.601 luma are of the picture on black.

pub mod bd_rate;
mod interpolation;
mod ms_ssim;
mod squares;

use crate::color::{ToRgb, check_frame};
use crate::error::{Error, Result};
use crate::frame::{Chroma, Frame, PixelFormat, Plane, VideoInfo};
use ms_ssim::{MIN_SIDE, ms_ssim};
use squares::{difference, mean_square, mean_square_on_both};

/// PSNR of equal pictures.
pub const PSNR_CAP: f64 = 100.0;

/// A PSNR in dB, averaged in the two customary ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Psnr {
    /// Mean over frames of the frame's PSNR.
    pub mean: f64,
    /// PSNR of the mean squared error over all frames.
    pub pooled: f64,
}

/// All figures of one comparison; `None` is not defined for the format.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Pictures compared.
    pub frames: u64,
    /// Width in luma samples.
    pub width: usize,
    /// Height in luma samples.
    pub height: usize,
    /// Luma, or gray.
    pub psnr_y: Option<Psnr>,
    /// Cb.
    pub psnr_u: Option<Psnr>,
    /// Cr.
    pub psnr_v: Option<Psnr>,
    /// (6 Y + U + V) / 8 of the plane PSNRs.
    pub psnr_yuv611: Option<Psnr>,
    /// 8-bit RGB, all three channels in one squared error.
    pub psnr_rgb: Option<Psnr>,
    /// Luma of RGB pictures: BT.601, full range, rounded.
    pub psnr_y601: Option<Psnr>,
    /// MS-SSIM of luma; `None` below 176 samples on a side too.
    pub ms_ssim_y: Option<f64>,
    /// Alpha.
    pub psnr_alpha: Option<Psnr>,
    /// Matrix and range of the RGB conversion.
    pub rgb_matrix: Option<&'static str>,
}

impl Scores {
    /// The one figure to aim at, mean over frames: PSNR of 6:1:1, of RGB where the source is RGB,
    /// of gray; dB.
    pub fn quality(&self) -> f64 {
        self.psnr_yuv611
            .or(self.psnr_y)
            .or(self.psnr_rgb)
            .map_or(f64::NAN, |p| p.mean)
    }
}

/// Sums of one quantity's frames.
#[derive(Clone, Copy, Default)]
struct Sum {
    psnr: f64,
    mse: f64,
}

/// Compares two sequences frame by frame.
pub struct Scorer {
    info: VideoInfo,
    rgb: Option<ToRgb>,
    frames: u64,
    planes: [Sum; 3],
    yuv611: f64,
    rgb_sum: Sum,
    y601: Sum,
    alpha: Sum,
    ms_ssim: Option<f64>,
}

impl Scorer {
    /// A scorer for sequences of `info`'s geometry; its colour description decides the RGB
    /// conversion.
    pub fn new(info: &VideoInfo) -> Self {
        Scorer {
            info: *info,
            rgb: (info.format.chroma.colours() == 3).then(|| ToRgb::new(info)),
            frames: 0,
            planes: [Sum::default(); 3],
            yuv611: 0.0,
            rgb_sum: Sum::default(),
            y601: Sum::default(),
            alpha: Sum::default(),
            ms_ssim: (info.width.min(info.height) >= MIN_SIDE).then_some(0.0),
        }
    }

    /// Adds a pair of pictures.
    pub fn add(&mut self, reference: &Frame, distorted: &Frame) -> Result<()> {
        check_frame(&self.info, reference)?;
        check_frame(&self.info, distorted)?;
        let format = self.info.format;
        let (peak, chroma) = (f64::from(format.max_value()), format.chroma);
        let alpha = chroma.has_alpha().then(|| {
            let [a, b] = [reference, distorted].map(|f| &f.planes[chroma.colours()].data);
            self.alpha.add(mean_square(a, b), peak);
            difference(a, b)
        });
        let alpha = alpha.as_deref();
        if !chroma.is_rgb() {
            let mut frame = [0.0; 3];
            let pairs = reference.planes.iter().zip(&distorted.planes);
            for (p, (a, b)) in pairs.take(chroma.colours()).enumerate() {
                let mse = match alpha {
                    Some(alpha) => mean_square_on_both(&a.data, &b.data, alpha, 1.0),
                    None => mean_square(&a.data, &b.data),
                };
                frame[p] = psnr(mse, peak);
                self.planes[p].add(mse, peak);
            }
            self.yuv611 += yuv611(frame);
        }
        if let Some(convert) = &self.rgb {
            let (a, b) = rayon::join(|| convert.convert(reference), || convert.convert(distorted));
            let (a, b) = (a?.data, b?.data);
            let mse = match alpha {
                Some(alpha) => mean_square_on_both(&a, &b, alpha, 255.0 / peak),
                None => mean_square(&a, &b),
            };
            self.rgb_sum.add(mse, 255.0);
        }
        let luma: [Plane; 2];
        let (mut a, mut b) = (&reference.planes[0], &distorted.planes[0]);
        if chroma.is_rgb() {
            luma = [luma_601(reference), luma_601(distorted)];
            (a, b) = (&luma[0], &luma[1]);
            self.y601.add(mean_square(&a.data, &b.data), peak);
        }
        if let Some(sum) = &mut self.ms_ssim {
            *sum += ms_ssim(&a.data, &b.data, a.width, a.height, peak);
        }
        self.frames += 1;
        Ok(())
    }

    /// The figures of all pairs so far. No pair at all is an [`Error::Parameter`].
    pub fn finish(self) -> Result<Scores> {
        if self.frames == 0 {
            return Err(Error::Parameter("no frames to compare".into()));
        }
        let n = self.frames as f64;
        let peak = f64::from(self.info.format.max_value());
        let get = |s: &Sum, peak| Psnr {
            mean: s.psnr / n,
            pooled: psnr(s.mse / n, peak),
        };
        let [y, u, v] = self.planes.map(|s| get(&s, peak));
        let layout = self.info.format.chroma;
        let chroma = matches!(layout, Chroma::Yuv420 | Chroma::Yuv444);
        let luma = chroma || layout.colours() == 1;
        Ok(Scores {
            frames: self.frames,
            width: self.info.width,
            height: self.info.height,
            psnr_y: luma.then_some(y),
            psnr_u: chroma.then_some(u),
            psnr_v: chroma.then_some(v),
            psnr_yuv611: chroma.then(|| Psnr {
                mean: self.yuv611 / n,
                pooled: yuv611([y.pooled, u.pooled, v.pooled]),
            }),
            psnr_rgb: self.rgb.is_some().then(|| get(&self.rgb_sum, 255.0)),
            psnr_y601: layout.is_rgb().then(|| get(&self.y601, peak)),
            ms_ssim_y: self.ms_ssim.map(|s| s / n),
            psnr_alpha: layout.has_alpha().then(|| get(&self.alpha, peak)),
            rgb_matrix: self.rgb.as_ref().map(ToRgb::name),
        })
    }
}

impl Sum {
    fn add(&mut self, mse: f64, peak: f64) {
        self.psnr += psnr(mse, peak);
        self.mse += mse;
    }
}

/// BT.601 luma at full range of a G, B, R picture, rounded to integers of its depth.
pub fn luma_601(frame: &Frame) -> Plane {
    let [g, b, r, ..] = &frame.planes[..] else {
        return frame.planes.first().cloned().unwrap_or(Plane::new(0, 0));
    };
    let rgb = r.data.iter().zip(&g.data).zip(&b.data);
    let data = rgb.map(|((&r, &g), &b)| {
        (0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)).round_ties_even()
            as u16
    });
    Plane {
        width: g.width,
        height: g.height,
        data: data.collect(),
    }
}

/// The one figure of a frame whose planes have the mean squared errors `mse`: PSNR of 6:1:1, of RGB
/// or of gray, dB; what [`Scores::quality`] is the mean of, where there is no alpha.
pub fn frame_quality(format: &PixelFormat, mse: [f64; 3]) -> f64 {
    let peak = f64::from(format.max_value());
    match format.chroma {
        Chroma::Gray | Chroma::GrayAlpha => psnr(mse[0], peak),
        Chroma::Rgb | Chroma::Rgba => psnr(mse.iter().sum::<f64>() / 3.0, peak),
        Chroma::Yuv420 | Chroma::Yuv444 => yuv611(mse.map(|m| psnr(m, peak))),
    }
}

fn yuv611(p: [f64; 3]) -> f64 {
    (6.0 * p[0] + p[1] + p[2]) / 8.0
}

fn psnr(mse: f64, peak: f64) -> f64 {
    if mse <= 1e-10 {
        PSNR_CAP
    } else {
        10.0 * (peak * peak / mse).log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{PixelFormat, Ratio};

    fn info(format: PixelFormat, width: usize, height: usize) -> VideoInfo {
        let none = Ratio { num: 0, den: 0 };
        VideoInfo {
            fps: none,
            sar: none,
            ..VideoInfo::new(width, height, format)
        }
    }

    fn flat(i: &VideoInfo, samples: [u16; 3]) -> Frame {
        let mut f = Frame::new(i.format, i.width, i.height);
        f.planes
            .iter_mut()
            .zip(samples)
            .for_each(|(p, v)| p.data.fill(v));
        f
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-4, "{a} against {b}");
    }

    #[test]
    fn psnr_by_hand() {
        let i = info(PixelFormat::new8(Chroma::Yuv420), 5, 3);
        let mut s = Scorer::new(&i);
        let reference = flat(&i, [100, 128, 128]);
        // Frame 1: Y off by 1 (48.1308 dB), U by 2 (42.1102), V equal (100). Frame 2: Y off by 3
        // (38.5884), rest equal.
        s.add(&reference, &flat(&i, [101, 126, 128])).unwrap();
        s.add(&reference, &flat(&i, [97, 128, 128])).unwrap();
        let r = s.finish().unwrap();
        let y = r.psnr_y.unwrap();
        close(y.mean, (48.13080 + 38.58838) / 2.0);
        // Pooled squared error 5 and 2.
        close(y.pooled, 41.14110);
        let (u, v, all) = (r.psnr_u.unwrap(), r.psnr_v.unwrap(), r.psnr_yuv611.unwrap());
        close(u.mean, (42.11020 + 100.0) / 2.0);
        close(u.pooled, 45.12050);
        close(v.pooled, 100.0);
        close(all.mean, (6.0 * y.mean + u.mean + v.mean) / 8.0);
        close(all.pooled, (6.0 * 41.14110 + 45.12050 + 100.0) / 8.0);
        // Frame 1 in RGB: 100,128,128 is 98 thrice; 101,126 gives 98.9725 + (0, +0.7835, -4.0345) =
        // 99,100,95: squares 1+4+9. Frame 2: 94.3150 = 94 thrice: squares 16 each.
        let rgb = r.psnr_rgb.unwrap();
        close(
            rgb.mean,
            (10.0 * (65025.0f64 / (14.0 / 3.0)).log10() + 10.0 * (65025.0f64 / 16.0).log10()) / 2.0,
        );
        assert_eq!(
            (r.frames, r.ms_ssim_y, r.rgb_matrix),
            (2, None, Some("bt601 limited"))
        );
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let i = info(PixelFormat::new8(Chroma::Gray), 4, 4);
        let mut s = Scorer::new(&i);
        s.add(&flat(&i, [9; 3]), &flat(&i, [9; 3])).unwrap();
        let r = s.finish().unwrap();
        assert_eq!((r.psnr_y.unwrap().mean, r.frames), (100.0, 1));
        let none = [r.psnr_u, r.psnr_v, r.psnr_yuv611, r.psnr_rgb];
        assert!(none.iter().all(Option::is_none) && r.ms_ssim_y.is_none());

        let i = info(PixelFormat::new8(Chroma::Rgb), 4, 4);
        let mut s = Scorer::new(&i);
        s.add(&flat(&i, [10, 20, 30]), &flat(&i, [11, 20, 30]))
            .unwrap();
        let r = s.finish().unwrap();
        close(r.psnr_rgb.unwrap().pooled, 48.13080 + 4.77121);
        // G, B, R = 10, 20, 30: 5.87 + 2.28 + 8.97 = 17.12; with G 11 it is 17.707, rounded 18.
        close(r.psnr_y601.unwrap().pooled, 48.13080);
        let none = [r.psnr_y, r.psnr_u, r.psnr_v, r.psnr_yuv611];
        assert!(none.iter().all(Option::is_none) && r.ms_ssim_y.is_none());
        assert!(Scorer::new(&i).finish().is_err());
    }

    #[test]
    fn alpha_is_seen_on_black_and_on_white() {
        for (chroma, colours) in [(Chroma::Rgba, 3), (Chroma::GrayAlpha, 1)] {
            let i = info(PixelFormat::new8(chroma), 4, 4);
            let veil = |v: u16, a: u16| {
                let mut f = flat(&i, [v; 3]);
                f.planes[colours].data.fill(a);
                f
            };
            let scores = |a: &Frame, b: &Frame| {
                let mut s = Scorer::new(&i);
                s.add(a, b).unwrap();
                s.finish().unwrap()
            };
            // black goes from half to three fifths: on black nothing changes, on white 25 do
            let s = scores(&veil(0, 128), &veil(0, 153));
            close(s.quality(), 10.0 * (65025.0 / (625.0f64 / 2.0)).log10());
            close(
                s.psnr_alpha.unwrap().mean,
                10.0 * (65025.0f64 / 625.0).log10(),
            );
            // white goes from half to three fifths, which only black shows
            let s = scores(&veil(128, 128), &veil(153, 153));
            close(s.quality(), 10.0 * (65025.0 / (625.0f64 / 2.0)).log10());
            // what is not there has no other colour
            assert_eq!(scores(&veil(0, 0), &veil(0, 0)).quality(), PSNR_CAP);
        }
    }

    #[test]
    fn ten_bits_have_their_own_peak() {
        let i = info(
            PixelFormat {
                chroma: Chroma::Yuv444,
                bit_depth: 10,
            },
            4,
            4,
        );
        let mut s = Scorer::new(&i);
        s.add(&flat(&i, [400, 512, 512]), &flat(&i, [404, 512, 512]))
            .unwrap();
        close(
            s.finish().unwrap().psnr_y.unwrap().mean,
            20.0 * (1023.0f64 / 4.0).log10(),
        );
    }

    #[test]
    fn ms_ssim_of_flat_planes_is_luminance_alone() {
        let i = info(PixelFormat::new8(Chroma::Gray), 177, 190);
        let mut s = Scorer::new(&i);
        s.add(&flat(&i, [100; 3]), &flat(&i, [50; 3])).unwrap();
        // Contrast is 1 on every scale; luminance (2*100*50 + 6.5025) / (100^2 + 50^2 + 6.5025)
        // counts with 0.1333.
        let want = (10006.5025f64 / 12506.5025).powf(0.1333);
        let got = s.finish().unwrap().ms_ssim_y.unwrap();
        assert!((got - want).abs() < 1e-4, "{got} against {want}");
    }

    #[test]
    fn ms_ssim_of_inverted_contrast_is_zero_and_of_equals_one() {
        let i = info(PixelFormat::new8(Chroma::Gray), 176, 176);
        let mut a = flat(&i, [0; 3]);
        a.planes[0].data.iter_mut().enumerate().for_each(|(n, v)| {
            *v = if (n / 40 + n / 176 / 40) % 2 == 0 {
                200
            } else {
                50
            }
        });
        let mut b = a.clone();
        b.planes[0].data.iter_mut().for_each(|v| *v = 250 - *v);
        assert!(ms_ssim(&a.planes[0].data, &b.planes[0].data, 176, 176, 255.0) < 1e-9);
        close(
            ms_ssim(&a.planes[0].data, &a.planes[0].data, 176, 176, 255.0),
            1.0,
        );
    }
}
