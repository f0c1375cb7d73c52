//! The short way to a file's frames: an iterator.

use std::io::Read;
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};

use crate::decoder::{Options, StreamDecoder};
use crate::error::{Error, Result};
use crate::frame::{Frame, VideoInfo};

/// Frames that wait for whoever takes them.
const AHEAD: usize = 2;

/// A file, its header read. More to look at has `nvc info`.
pub struct Decoder<R> {
    inner: StreamDecoder<R>,
}

impl<R: Read + Send + 'static> Decoder<R> {
    /// Reads the header. `reader` may be a pipe; a file should be buffered.
    pub fn new(reader: R) -> Result<Self> {
        Self::with_options(reader, Options::default())
    }

    /// The same with other limits, threads or instructions. The samples do not depend on them.
    pub fn with_options(reader: R, options: Options) -> Result<Self> {
        Ok(Decoder {
            inner: StreamDecoder::new(reader, options)?,
        })
    }

    /// Geometry, format, rate and colour.
    pub fn info(&self) -> &VideoInfo {
        self.inner.info()
    }

    /// Frames `range` (half open, in display order), computed a few ahead on other threads.
    /// Sections before the range are read, not computed. An end beyond the file's is its end; a
    /// start beyond it gives no frames. After an error nothing more comes.
    pub fn frames(self, range: Range<u64>) -> Frames {
        let mut decoder = self.inner;
        let (send, receive) = sync_channel(AHEAD);
        let failed = send.clone();
        let work = move || {
            let sent = |_| Error::Parameter("the iterator was dropped".into());
            let end = decoder.decode(range, &mut |n, frame| {
                send.send(Ok((n, frame))).map_err(sent)
            });
            if let Err(e) = end {
                // the receiver was dropped: discard
                let _ = send.send(Err(e));
            }
        };
        if let Err(e) = std::thread::Builder::new()
            .name("nvc-frames".into())
            .spawn(work)
        {
            let _ = failed.send(Err(Error::io("starting a thread", e)));
        }
        Frames { receive }
    }
}

/// Frames with their numbers, from [`Decoder::frames`].
pub struct Frames {
    receive: Receiver<Result<(u64, Frame)>>,
}

impl Iterator for Frames {
    type Item = Result<(u64, Frame)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receive.recv().ok()
    }
}
