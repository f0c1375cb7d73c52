//! A server on the loopback that answers as a test wants it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as far as it matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// `GET` or `CONNECT`.
    pub method: String,
    /// The path, or what a proxy is asked for.
    pub target: String,
    /// The range, as in `bytes=100-`.
    pub range: Option<String>,
    /// The validator of `If-Range`.
    pub if_range: Option<String>,
}

/// An answer.
pub struct Reply {
    pub status: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The length announced, if it is not the body's: the connection is closed after the body.
    pub announced: Option<usize>,
}

impl Reply {
    pub fn new(status: &'static str, body: &[u8]) -> Self {
        Reply {
            status,
            headers: Vec::new(),
            body: body.to_vec(),
            announced: None,
        }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The body breaks off after `bytes`.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.announced = Some(self.body.len());
        self.body.truncate(bytes);
        self
    }

    /// The rest of `body` from the byte that `request` asks for, or all of it.
    pub fn range(body: &[u8], request: &Request) -> Self {
        match request.range.as_deref().and_then(|r| {
            r.strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        }) {
            Some(from) => {
                let text = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
                Reply::new("206 Partial Content", &body[from..]).with("Content-Range", text)
            }
            None => Reply::new("200 OK", body),
        }
    }
}

/// The server; it ends with the test's process.
pub struct Server {
    pub port: u16,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the requests one after another; `answer` gets each with its number from 0.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = log.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // a client that goes away is its own business
                let _ = serve(stream.unwrap(), &seen, &answer);
            }
        });
        Server { port, log }
    }

    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// The ranges of all requests so far.
    pub fn ranges(&self) -> Vec<Option<String>> {
        self.requests().into_iter().map(|r| r.range).collect()
    }
}

fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request, usize) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace().map(str::to_string);
        let mut request = Request {
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            ..Default::default()
        };
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            match name.to_lowercase().as_str() {
                "range" => request.range = Some(value.trim().into()),
                "if-range" => request.if_range = Some(value.trim().into()),
                _ => {}
            }
        }
        let number = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        let reply = answer(&request, number);
        let mut head = format!("HTTP/1.1 {}\r\n", reply.status);
        if request.method == "CONNECT" {
            // the tunnel leads to ourselves
            stream.write_all(format!("{head}\r\n").as_bytes())?;
            continue;
        }
        head += &format!(
            "Content-Length: {}\r\nConnection: close\r\n",
            reply.announced.unwrap_or(reply.body.len())
        );
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(&reply.body)?;
        stream.shutdown(Shutdown::Write)?;
        // waits until the client has taken everything
        let _ = reader.read(&mut [0; 64]);
        return Ok(());
    }
}
