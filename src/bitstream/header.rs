//! Headers of sequence, section and group (spec section 3): plain data, no interpretation of
//! samples.

use super::fields::bundle;
use crate::error::{Error, Result};
use crate::frame::{Chroma, ColorInfo, PixelFormat, Range, Ratio, Siting, VideoInfo};

/// Format version this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;

bundle! {
    /// Payload of the `H` packet (spec section 3.1).
    SequenceHeader {
        format_version: U8(1, 255), "version of the format; a decoder refuses versions it does not know";
        width: Varint(1, 65535), "luma samples per row";
        height: Varint(1, 65535), "luma rows";
        chroma: U8(0, 5), "0 gray, 1 YUV 4:2:0, 2 YUV 4:4:4, 3 GBR, 4 gray and alpha, 5 GBR and alpha";
        bit_depth: U8(8, 10), "bits per sample, 8 or 10";
        fps_num: Varint(0, u32::MAX), "frame rate numerator; 0 with denominator 0 for a still or unknown";
        fps_den: Varint(0, u32::MAX), "frame rate denominator";
        sar_num: Varint(0, 65535), "sample aspect ratio numerator; 0 with denominator 0 means unknown";
        sar_den: Varint(0, 65535), "sample aspect ratio denominator";
        primaries: U8(0, 255), "ColourPrimaries of ITU-T H.273; 2 unspecified";
        transfer: U8(0, 255), "TransferCharacteristics of ITU-T H.273; 2 unspecified";
        matrix: U8(0, 255), "MatrixCoefficients of ITU-T H.273; 2 unspecified";
        range: U8(0, 2), "0 unspecified, 1 limited, 2 full";
        chroma_location: OptionalU8(0, 255), "ChromaSampleLocType of ITU-T H.273 plus 1; 0 and all above 6 unspecified";
    }
}

bundle! {
    /// Start of the payload of an `S` packet (spec section 3.2).
    SectionHeader {
        first_frame: Varint(0, 0x7fff_ffff), "display index of the section's first frame";
        frames: Varint(1, 0x00ff_ffff), "frames in the section: the sum over its groups";
        groups: Varint(1, 65535), "groups that follow";
    }
}

bundle! {
    /// Start of a group (spec section 3.3). The architecture's own fields follow, then the coded
    /// parts.
    GroupHeader {
        frames: Varint(1, 65535), "frames in the group";
        arch: U8(1, 255), "architecture: 1 HNeRV, 2 NeRV, 3 NeRV++, 4 NIRVANA, 5 HNeRV with tanh, 6 pyramid";
        weights_bytes: Varint(0, 0x7fff_ffff), "bytes of the coded steps, fraction bits and weights";
        latents_bytes: Varint(0, 0x7fff_ffff), "bytes of the coded latents";
    }
}

bundle! {
    /// Architecture fields of HNeRV (spec section 3.4); `stages` times [`HnervStage`] follow.
    HnervHeader {
        latent_channels: Varint(1, 1024), "channels of a frame's latent";
        latent_height: Varint(1, 1024), "rows of a frame's latent";
        latent_width: Varint(1, 1024), "columns of a frame's latent";
        stem_channels: Varint(1, 4096), "output channels of the 1x1 stem convolution";
        head_kernel: U8(1, 15), "kernel size of the output convolutions, odd";
        stages: U8(1, 12), "upsampling stages";
    }
}

bundle! {
    /// One upsampling stage of HNeRV (spec section 3.4).
    HnervStage {
        stride: U8(1, 16), "upsampling factor of the pixel shuffle";
        kernel: U8(1, 15), "kernel size of the convolution, odd";
        channels: Varint(1, 4096), "channels after the pixel shuffle";
    }
}

bundle! {
    /// Architecture fields of NeRV (spec section 3.6); NeRV++ adds [`NervppHeader`], then `stages`
    /// times [`HnervStage`] follow.
    NervHeader {
        levels: U8(1, 40), "frequencies of the positional code";
        hidden: Varint(1, 4096), "channels of the stem's first layer";
        rows: Varint(1, 1024), "rows that the stem's second layer becomes";
        columns: Varint(1, 1024), "columns that the stem's second layer becomes";
        channels: Varint(1, 4096), "channels that the stem's second layer becomes";
        curve: U8(0, 1), "nonlinearity: 0 GELU, 1 swish";
        head_kernel: U8(1, 15), "kernel size of the output convolutions, odd";
        stages: U8(1, 12), "upsampling stages";
    }
}

bundle! {
    /// Further fields of NeRV++ (spec section 3.6).
    NervppHeader {
        before: U8(0, 4), "residual blocks before the upsampling of each stage";
        after: U8(0, 4), "residual blocks after it";
        kernel: U8(1, 15), "kernel size of their depthwise convolutions, odd";
    }
}

bundle! {
    /// Architecture fields of NIRVANA (spec section 3.7).
    NirvanaHeader {
        rows: Varint(1, 4096), "rows of patches";
        columns: Varint(1, 4096), "columns of patches";
        layers: U8(1, 8), "sine layers";
        hidden: Varint(1, 4096), "channels of each sine layer";
        features: Varint(1, 1024), "channels of a patch's feature map";
        cell: U8(1, 64), "rows and columns of a patch's feature map";
        kernel: U8(1, 15), "kernel size of the convolution of each frame, odd";
        stride: U8(1, 16), "upsampling factor of its pixel shuffle";
        channels: Varint(1, 4096), "channels after the pixel shuffle";
        head_kernel: U8(1, 15), "kernel size of the output convolutions, odd";
    }
}

bundle! {
    /// Architecture fields of a pyramid (spec section 3.9).
    PyramidHeader {
        grids: U8(1, 16), "latent grids, each of half the rows and columns of the one before";
        empty: Varint(0, 65535), "bit l is set if grid l holds zeros only and is not coded";
        reach: Varint(1, 2047), "largest magnitude of a latent";
        contexts: U8(1, 40), "neighbours that the context network reads";
        hidden: Varint(1, 256), "channels of the synthesis networks' hidden layer";
    }
}

bundle! {
    /// One entry of the `I` packet (spec section 3.5).
    IndexEntry {
        frames: Varint(1, 0x00ff_ffff), "frames in the section";
        bytes: Varint(1, u32::MAX), "bytes of the section's whole packet, tag and CRC included";
    }
}

impl SequenceHeader {
    /// The header that describes `info`.
    pub fn new(info: &VideoInfo) -> Result<Self> {
        let dim = |v: usize, what: &str| match u32::try_from(v) {
            Ok(v @ 1..=65535) => Ok(v),
            _ => Err(Error::Parameter(format!(
                "{what} is {v} (allowed 1..=65535)"
            ))),
        };
        let side = |v: u32| match v {
            0..=65535 => Ok(v),
            _ => Err(Error::Parameter(format!(
                "sample aspect ratio with a side of {v} (allowed 0..=65535)"
            ))),
        };
        Ok(SequenceHeader {
            format_version: FORMAT_VERSION,
            width: dim(info.width, "frame width")?,
            height: dim(info.height, "frame height")?,
            chroma: info.format.chroma as u32,
            bit_depth: info.format.bit_depth.into(),
            fps_num: info.fps.num,
            fps_den: info.fps.den,
            sar_num: side(info.sar.num)?,
            sar_den: side(info.sar.den)?,
            primaries: info.color.primaries.into(),
            transfer: info.color.transfer.into(),
            matrix: info.color.matrix.into(),
            range: match info.color.range {
                Range::Unspecified => 0,
                Range::Limited => 1,
                Range::Full => 2,
            },
            // says nothing of other layouts
            chroma_location: if info.format.chroma == Chroma::Yuv420 {
                info.color.siting as u32
            } else {
                0
            },
        })
    }

    /// What the header describes. `offset` is the header's place in the file, for error messages.
    pub fn info(&self, offset: u64) -> Result<VideoInfo> {
        if self.bit_depth == 9 {
            return Err(Error::format(offset, "bit_depth is 9 (allowed 8 or 10)"));
        }
        Ok(VideoInfo {
            fps: Ratio {
                num: self.fps_num,
                den: self.fps_den,
            },
            sar: Ratio {
                num: self.sar_num,
                den: self.sar_den,
            },
            color: ColorInfo {
                primaries: self.primaries as u8,
                transfer: self.transfer as u8,
                matrix: self.matrix as u8,
                range: [Range::Unspecified, Range::Limited, Range::Full][self.range as usize],
                // files from before this field may have any byte in its place
                siting: Siting::ALL
                    .get(self.chroma_location as usize)
                    .copied()
                    .unwrap_or_default(),
                ..ColorInfo::UNSPECIFIED
            },
            ..VideoInfo::new(
                self.width as usize,
                self.height as usize,
                PixelFormat {
                    chroma: Chroma::ALL[self.chroma as usize],
                    bit_depth: self.bit_depth as u8,
                },
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::Reader;
    use super::*;

    fn info(chroma: Chroma, siting: Siting) -> VideoInfo {
        VideoInfo {
            fps: Ratio { num: 25, den: 1 },
            color: ColorInfo {
                siting,
                ..ColorInfo::UNSPECIFIED
            },
            ..VideoInfo::new(4, 2, PixelFormat::new8(chroma))
        }
    }

    fn read(payload: &[u8]) -> VideoInfo {
        SequenceHeader::read(&mut Reader::new(payload, 0))
            .unwrap()
            .info(0)
            .unwrap()
    }

    #[test]
    fn sitings_round_trip_and_the_unspecified_one_takes_no_byte() {
        for (code, siting) in Siting::ALL.into_iter().enumerate() {
            let mut payload = Vec::new();
            SequenceHeader::new(&info(Chroma::Yuv420, siting))
                .unwrap()
                .write(&mut payload);
            assert_eq!(
                payload.get(13).copied(),
                Some(code as u8).filter(|c| *c > 0),
                "{siting:?}"
            );
            assert_eq!(read(&payload), info(Chroma::Yuv420, siting));
            // an older decoder's view, and a later encoder's
            assert_eq!(read(&payload[..13]).color.siting, Siting::Unspecified);
            payload.resize(14, 0);
            payload.extend([9, 0xff]);
            assert_eq!(read(&payload).color.siting, siting);
            payload[13] += 7;
            assert_eq!(
                read(&payload).color.siting,
                Siting::Unspecified,
                "{}",
                payload[13]
            );
        }
        let mut payload = Vec::new();
        SequenceHeader::new(&info(Chroma::Yuv444, Siting::Left))
            .unwrap()
            .write(&mut payload);
        assert_eq!(payload.len(), 13);
    }
}
