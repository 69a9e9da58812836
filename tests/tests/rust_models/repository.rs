//! stub
pub fn metadata() -> limbeck::MetaData {
    limbeck::MetaData::new()
}
