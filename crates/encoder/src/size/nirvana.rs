//! How large a NIRVANA for a picture.

use super::strides::{check_count, largest};
use nvc::bitstream::header::NirvanaHeader;
use nvc::error::{Error, Result};
use nvc::frame::VideoInfo;
use nvc::network::Representation;
use nvc::network::nirvana::Nirvana;

/// What of a NIRVANA is chosen; the rest follows from picture and size. The published values are in
/// the preset `nirvana-g3`.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NirvanaConfig {
    /// Sine layers.
    pub layers: u32,
    /// Channels of each (default: from the size).
    pub hidden: Option<u32>,
    /// Channels of a patch's feature map (default: 4 to 16, by size).
    pub features: Option<u32>,
    /// Rows and columns of a patch's feature map (default: 4, 8 or 16, by size).
    pub cell: Option<u32>,
    /// Upsampling factor after it.
    pub stride: u32,
    /// Channels after the upsampling (default: as many as features).
    pub channels: Option<u32>,
    /// Kernel size of the convolution of each frame.
    pub kernel: u32,
    /// Kernel size of the output convolutions.
    pub head_kernel: u32,
}

impl Default for NirvanaConfig {
    fn default() -> Self {
        NirvanaConfig {
            layers: 2,
            hidden: None,
            features: None,
            cell: None,
            stride: 2,
            channels: None,
            kernel: 3,
            head_kernel: 3,
        }
    }
}

impl NirvanaConfig {
    fn check(&self) -> Result<()> {
        let count = |name: &str, v: Option<u32>, most: u32| check_count("nirvana", name, v, most);
        count("layers", Some(self.layers), 8)?;
        count("hidden", self.hidden, 4096)?;
        count("features", self.features, 1024)?;
        count("cell", self.cell, 64)?;
        count("stride", Some(self.stride), 16)?;
        count("channels", self.channels, 4096)?;
        if ![self.kernel, self.head_kernel]
            .into_iter()
            .all(|k| k % 2 == 1 && k <= 15)
        {
            let k = [self.kernel, self.head_kernel];
            return Err(Error::Parameter(format!(
                "nirvana.kernel and head_kernel are {k:?} (allowed: odd, at most 15)"
            )));
        }
        Ok(())
    }

    fn network(&self, info: &VideoInfo, params: f64, hidden: u32) -> Nirvana {
        // where there are more, the sine layers get too narrow for the picture
        let features = self.features.unwrap_or(if params < 8.5e3 {
            4
        } else if params < 1.4e4 {
            6
        } else if params < 1e5 {
            8
        } else {
            16
        });
        // few parameters go into more sine channels, not into larger patches
        let cell = self.cell.unwrap_or(if params < 3e4 {
            4
        } else if params < 1e6 {
            8
        } else {
            16
        });
        let patch = cell * self.stride;
        let header = NirvanaHeader {
            rows: (info.height as u32).div_ceil(patch),
            columns: (info.width as u32).div_ceil(patch),
            layers: self.layers,
            hidden: self.hidden.unwrap_or(hidden),
            features,
            cell,
            kernel: self.kernel,
            stride: self.stride,
            channels: self.channels.unwrap_or(features),
            head_kernel: self.head_kernel,
        };
        Nirvana { header }
    }
}

/// The NIRVANA with at most about `params` parameters for groups of `frames` pictures of `info`.
pub fn for_params(
    info: &VideoInfo,
    frames: usize,
    params: f64,
    config: &NirvanaConfig,
) -> Result<Nirvana> {
    config.check()?;
    let size = |hidden: u32| {
        config
            .network(info, params, hidden)
            .lower(info, frames)
            .map(|g| g.params() as f64)
    };
    largest("nirvana", params, 1..=4096, size).map(|hidden| config.network(info, params, hidden))
}
