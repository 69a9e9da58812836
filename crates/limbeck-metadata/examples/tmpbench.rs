use limbeck_metadata::*;
fn rss(what: &str) { eprintln!("{what} {}", std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ")); let _ = std::fs::write("/proc/self/clear_refs", "5"); }
fn main() {
    if let Some(file) = std::env::args().nth(1) {
        let json = std::fs::read_to_string(file).unwrap();
        rss("json");
        let at = std::time::Instant::now();
        let m = MetaData::from_json(&json, "x.json").unwrap();
        eprintln!("parse {:?}", at.elapsed());
        drop(json);
        rss("parsed");
        let at = std::time::Instant::now();
        let d = m.lower(&LowerOptions::default()).unwrap();
        eprintln!("lower {:?} {} objects", at.elapsed(), d.schema.len());
        rss("lowered");
        drop(m);
        rss("dropped");
        return;
    }
    let n = 10_000;
    let mut m = MetaData::new();
    for i in 0..n {
        let mut t = Table::new(format!("table_{i}")).comment("a table").column(Column::new("id", "bigint").identity());
        for c in 0..9 { t = t.column(Column::new(format!("column_{c}"), ["text", "varchar(50)", "timestamptz", "integer"][c % 4]).default("now()")); }
        t = t.primary_key(["id"]).unique(["column_1"]).index(["column_2"]).check(Check::new("column_3 > 0").name("positive"));
        if i > 0 { t = t.foreign_key(ForeignKey::new(["column_3"], References::new(format!("table_{}", i - 1)))); }
        m = m.table(t);
    }
    let json = serde_json::to_string(&m).unwrap();
    drop(m);
    std::fs::write("/tmp/x.json", &json).unwrap();
    let at = std::time::Instant::now();
    let m = MetaData::from_json(&json, "x.json").unwrap();
    eprintln!("{} MB parse {:?}", json.len() / 1_000_000, at.elapsed());
    drop(json);
    let at = std::time::Instant::now();
    let d = m.lower(&LowerOptions::default()).unwrap();
    eprintln!("lower {:?} {} objects", at.elapsed(), d.schema.len());
    eprintln!("{}", std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect::<Vec<_>>().join(" "));
    eprintln!("object {} bytes", std::mem::size_of::<limbeck_schema::Object>());
}
