use signinel::{
    detect::{Detector, Matcher, Rulebook},
    diagnose::Catalogue,
    ingest::import::import,
    store::Store,
};
#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let _ = std::fs::remove_file("/tmp/t.db");
    let _ = std::fs::remove_file("/tmp/t.db-wal");
    let _ = std::fs::remove_file("/tmp/t.db-shm");
    let store = Store::open("sqlite:///tmp/t.db").await.unwrap();
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let t = std::time::Instant::now();
    let stop = tokio_util::sync::CancellationToken::new();
    let i = import(&store, vec![args[1].clone().into()], now, &stop, &|_| ()).await.unwrap();
    let a = t.elapsed();
    println!("import {:?} {:?} {:.0}/s", i.tally, a, i.tally.read as f64 / a.as_secs_f64());
    let book = Rulebook::embedded().unwrap();
    let m = Matcher::new(&book, Catalogue::shipped().classes()).unwrap();
    let mut d = Detector::new(m);
    let t = std::time::Instant::now();
    let f = d.run(&store, now, |_| ()).await.unwrap();
    println!(
        "detect {:?} {:?} {:.0}/s",
        f,
        t.elapsed(),
        f.events as f64 / t.elapsed().as_secs_f64()
    );
    store.close().await;
    println!("bytes/event {}", std::fs::metadata("/tmp/t.db").unwrap().len() / i.tally.stored);
}
