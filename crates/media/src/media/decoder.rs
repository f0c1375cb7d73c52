//! The pictures of a stream, one after another.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::frame::Video;
use ffmpeg_next::packet::side_data::Type;

use super::scan::Url;
use nvc::error::{Error, Result};

/// Reads packets and decodes those of one stream.
pub struct Decoder {
    name: String,
    input: Input,
    stream: usize,
    decoder: ffmpeg::decoder::Video,
    draining: bool,
    /// Packets of the stream that were read.
    packets: u64,
    /// Holds the file open whose descriptor the input reads.
    _url: Url,
}

impl Decoder {
    /// Of the stream with this number in `input`, which reads `url`; `name` is for errors.
    pub fn new(
        name: &str,
        url: Url,
        input: Input,
        stream: usize,
        decoder: ffmpeg::decoder::Video,
    ) -> Self {
        Decoder {
            name: name.into(),
            input,
            stream,
            decoder,
            draining: false,
            packets: 0,
            _url: url,
        }
    }

    /// Packets of the stream that were read.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// What stands beside the stream's pictures.
    pub fn side_data(&self) -> Vec<(Type, Vec<u8>)> {
        let stream = self.input.stream(self.stream);
        stream
            .iter()
            .flat_map(|s| {
                s.side_data()
                    .map(|d| (d.kind(), d.data().to_vec()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// The next decoded picture.
    pub fn next(&mut self) -> Result<Option<Video>> {
        let corrupt = |name: &str, what: &str, e: ffmpeg::Error| {
            Error::source(name, None, format!("{what}: {e}"))
        };
        let mut picture = Video::empty();
        loop {
            match self.decoder.receive_frame(&mut picture) {
                Ok(()) => return Ok(Some(picture)),
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(ffmpeg::Error::Other { errno })
                    if errno == ffmpeg::error::EAGAIN && !self.draining => {}
                Err(e) => return Err(corrupt(&self.name, "decoding", e)),
            }
            let mut packet = ffmpeg::Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() != self.stream => {}
                Ok(()) => {
                    self.packets += 1;
                    self.decoder
                        .send_packet(&packet)
                        .map_err(|e| corrupt(&self.name, "decoding", e))?;
                }
                Err(ffmpeg::Error::Eof) => {
                    self.draining = true;
                    self.decoder
                        .send_eof()
                        .map_err(|e| corrupt(&self.name, "decoding", e))?;
                }
                Err(e) => return Err(corrupt(&self.name, "reading", e)),
            }
        }
    }
}
