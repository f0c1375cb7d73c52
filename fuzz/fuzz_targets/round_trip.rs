#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nvc_fuzz::coded_networks(data));
