//! The figures of quality that curves are drawn and compared in.

use super::row::Row;
use ::nvc::error::{Error, Result};

/// A figure of quality: a column of `results.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// PSNR of 8-bit RGB.
    PsnrRgb,
    /// (6 Y + U + V) / 8 of the planes' PSNRs.
    Psnr611,
    /// PSNR of luma.
    PsnrY,
    /// MS-SSIM of luma.
    MsSsimY,
    /// VMAF.
    Vmaf,
    /// XPSNR.
    Xpsnr,
}

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 6] = [
        Metric::PsnrRgb,
        Metric::Psnr611,
        Metric::PsnrY,
        Metric::MsSsimY,
        Metric::Vmaf,
        Metric::Xpsnr,
    ];

    /// The column's name.
    pub fn key(self) -> &'static str {
        match self {
            Metric::PsnrRgb => "psnr_rgb",
            Metric::Psnr611 => "psnr_611",
            Metric::PsnrY => "psnr_y",
            Metric::MsSsimY => "ms_ssim_y",
            Metric::Vmaf => "vmaf",
            Metric::Xpsnr => "xpsnr",
        }
    }

    /// The metric of a column's name.
    pub fn from_key(key: &str) -> Result<Metric> {
        let known = || Metric::ALL.map(Metric::key).join(", ");
        let found = Metric::ALL.into_iter().find(|m| m.key() == key);
        found.ok_or_else(|| {
            Error::Parameter(format!(
                "'{key}' is no metric of quality; there are {}",
                known()
            ))
        })
    }

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Metric::PsnrRgb => "PSNR RGB",
            Metric::Psnr611 => "PSNR 6:1:1",
            Metric::PsnrY => "PSNR Y",
            Metric::MsSsimY => "MS-SSIM Y",
            Metric::Vmaf => "VMAF",
            Metric::Xpsnr => "XPSNR",
        }
    }

    /// Name of the axis that [`Metric::on_axis`] is drawn on.
    pub fn axis(self) -> &'static str {
        match self {
            Metric::PsnrRgb => "PSNR RGB (dB)",
            Metric::Psnr611 => "PSNR 6:1:1 (dB)",
            Metric::PsnrY => "PSNR Y (dB)",
            Metric::MsSsimY => "MS-SSIM Y (dB)",
            Metric::Vmaf => "VMAF",
            Metric::Xpsnr => "XPSNR (dB)",
        }
    }

    /// The figure of a row.
    pub fn of(self, row: &Row) -> Option<f64> {
        match self {
            Metric::PsnrRgb => row.psnr_rgb,
            Metric::Psnr611 => row.psnr_611,
            Metric::PsnrY => row.psnr_y,
            Metric::MsSsimY => row.ms_ssim_y,
            Metric::Vmaf => row.vmaf,
            Metric::Xpsnr => row.xpsnr,
        }
    }

    pub(super) fn of_mut(self, row: &mut Row) -> &mut Option<f64> {
        match self {
            Metric::PsnrRgb => &mut row.psnr_rgb,
            Metric::Psnr611 => &mut row.psnr_611,
            Metric::PsnrY => &mut row.psnr_y,
            Metric::MsSsimY => &mut row.ms_ssim_y,
            Metric::Vmaf => &mut row.vmaf,
            Metric::Xpsnr => &mut row.xpsnr,
        }
    }

    /// What is drawn and integrated: the figure itself, but -10 log10(1 - x) of MS-SSIM, which
    /// crowds against 1.
    pub fn on_axis(self, figure: f64) -> f64 {
        if self == Metric::MsSsimY {
            -10.0 * (1.0 - figure).log10()
        } else {
            figure
        }
    }

    /// The figure as tables print it.
    pub fn format(self, figure: f64) -> String {
        if self == Metric::MsSsimY {
            format!("{figure:.4}")
        } else {
            format!("{figure:.2}")
        }
    }

    /// How it is computed, in a sentence or two.
    pub fn definition(self) -> &'static str {
        match self {
            Metric::PsnrRgb => {
                "Of 8-bit RGB, the three channels in one squared error; dB, mean over frames of the frame's PSNR. The conversion follows \
                 the sequence's own colour description."
            }
            Metric::Psnr611 => {
                "(6 Y + U + V) / 8 of the planes' PSNRs in the coded format; dB, mean over frames."
            }
            Metric::PsnrY => "Of luma in the coded format; dB, mean over frames.",
            Metric::MsSsimY => {
                "Multi-scale structural similarity (Wang 2003) of luma, mean over frames. Curves and BD-rates use -10 log10(1 - MS-SSIM) \
                 in dB."
            }
            Metric::Vmaf => "Netflix's VMAF, 0 to 100, mean over frames.",
            Metric::Xpsnr => {
                "Perceptually weighted PSNR (Helmrich 2020), (6 Y + U + V) / 8 of the planes; dB."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_back_and_columns_are_their_own() {
        for (n, m) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(Metric::from_key(m.key()).unwrap(), m);
            let mut row = Row::default();
            *m.of_mut(&mut row) = Some(n as f64);
            assert_eq!(
                Metric::ALL.iter().filter(|o| o.of(&row).is_some()).count(),
                1
            );
            assert_eq!(m.of(&row), Some(n as f64));
            assert!(serde_json::to_value(&row).unwrap()[m.key()].is_f64());
        }
        let e = Metric::from_key("psnr").unwrap_err().to_string();
        assert!(e.contains("'psnr'") && e.contains("xpsnr"), "{e}");
        assert!((Metric::MsSsimY.on_axis(0.99) - 20.0).abs() < 1e-9);
    }
}
