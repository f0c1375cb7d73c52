#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nvc_fuzz::in_pieces(data));
