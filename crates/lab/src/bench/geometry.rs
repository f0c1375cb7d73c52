//! Sources whose pictures are cut or scaled.

use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma};

use ::nvc::error::{Error, Result};
use ::nvc::frame::{Chroma, Frame, Plane, VideoInfo};
use nvc_media::{BoxedSource, FrameSource};

/// The middle of each picture.
pub struct Cropped {
    inner: BoxedSource,
    info: VideoInfo,
    /// First column and row, even for subsampled chroma.
    corner: (usize, usize),
}

impl Cropped {
    /// The middle of so many columns and rows; [`Error::Parameter`] where a picture has fewer.
    pub fn new(inner: BoxedSource, (width, height): (usize, usize)) -> Result<Self> {
        let from = *inner.info();
        if width > from.width || height > from.height {
            return Err(Error::Parameter(format!(
                "crop {width}x{height} is larger than the picture of {}x{}",
                from.width, from.height
            )));
        }
        let even = |v: usize| {
            if from.format.chroma == Chroma::Yuv420 {
                v & !1
            } else {
                v
            }
        };
        let corner = (
            even((from.width - width) / 2),
            even((from.height - height) / 2),
        );
        Ok(Cropped {
            inner,
            info: VideoInfo {
                width,
                height,
                ..from
            },
            corner,
        })
    }
}

impl FrameSource for Cropped {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let Some(from) = self.inner.read()? else {
            return Ok(None);
        };
        let mut to = Frame::new(self.info.format, self.info.width, self.info.height);
        for (p, (to, from)) in to.planes.iter_mut().zip(&from.planes).enumerate() {
            let shift = usize::from(p > 0 && self.info.format.chroma == Chroma::Yuv420);
            let (x, y) = (self.corner.0 >> shift, self.corner.1 >> shift);
            for (row, out) in to.data.chunks_exact_mut(to.width).enumerate() {
                out.copy_from_slice(&from.row(y + row)[x..x + out.len()]);
            }
        }
        Ok(Some(to))
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner.frames_hint()
    }
}

/// Each picture at another size.
pub struct Scaled {
    /// What is scaled.
    pub inner: BoxedSource,
    /// As `inner`'s, but for width and height.
    pub info: VideoInfo,
}

impl FrameSource for Scaled {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let Some(from) = self.inner.read()? else {
            return Ok(None);
        };
        let max = self.info.format.max_value();
        let planes = from.planes.into_iter().enumerate().map(|(p, from)| {
            let (width, height) = self
                .info
                .format
                .plane_size(p, self.info.width, self.info.height);
            let size = (from.width, from.height);
            let picture =
                ImageBuffer::<Luma<u16>, _>::from_raw(size.0 as u32, size.1 as u32, from.data)
                    .ok_or_else(|| {
                        Error::Parameter(format!("plane {p} is not of {}x{}", size.0, size.1))
                    })?;
            let mut data =
                resize(&picture, width as u32, height as u32, FilterType::Lanczos3).into_raw();
            data.iter_mut().for_each(|v| *v = (*v).min(max));
            Ok(Plane {
                width,
                height,
                data,
            })
        });
        Ok(Some(Frame {
            planes: planes.collect::<Result<_>>()?,
        }))
    }

    fn frames_hint(&self) -> Option<u64> {
        self.inner.frames_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::info;
    use nvc_media::MemorySource;

    /// One picture; each plane counts its columns, and its rows in tens.
    fn ramp(width: usize, height: usize) -> BoxedSource {
        let info = info(Chroma::Yuv420, 8, width, height);
        let mut f = Frame::new(info.format, width, height);
        for p in &mut f.planes {
            let w = p.width;
            p.data
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v = (10 * (i / w) + i % w) as u16);
        }
        Box::new(MemorySource::new(&info, vec![f]))
    }

    #[test]
    fn crops_the_middle_on_chroma_samples() {
        let mut c = Cropped::new(ramp(10, 10), (4, 4)).unwrap();
        let f = c.read().unwrap().unwrap();
        // (10 - 4) / 2 = 3 is not a chroma sample's place: 2 is
        assert_eq!(f.planes[0].data[..5], [22, 23, 24, 25, 32]);
        assert_eq!(f.planes[1].data, [11, 12, 21, 22]);
        assert!(c.read().unwrap().is_none());
        assert!(Cropped::new(ramp(10, 10), (12, 4)).is_err());
    }

    #[test]
    fn scales_every_plane() {
        let inner = ramp(8, 8);
        let info = VideoInfo {
            width: 4,
            height: 4,
            ..*inner.info()
        };
        let f = Scaled { inner, info }.read().unwrap().unwrap();
        assert_eq!(
            (f.planes[0].width, f.planes[1].width, f.planes[1].data.len()),
            (4, 2, 4)
        );
        // a ramp stays one away from the borders: sample 1 lies between 2 and 3 on both axes
        assert!(
            (26..=29).contains(&f.planes[0].data[4 + 1]),
            "{:?}",
            f.planes[0].data
        );
    }
}
