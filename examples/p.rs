use signinel::sources::files::{More, RecordBatch, Records};
fn main() {
    let path = std::env::args().nth(1).unwrap();
    for round in 0..2 {
        let t = std::time::Instant::now();
        let mut r = Records::open(std::fs::File::open(&path).unwrap()).unwrap();
        let mut n = 0;
        loop {
            let mut b = RecordBatch::default();
            let m = r.fill(&mut b).unwrap();
            n += b.len();
            if m == More::No {
                break;
            }
        }
        println!("cut {n} {:?}", t.elapsed());
        let t = std::time::Instant::now();
        let mut r = Records::open(std::fs::File::open(&path).unwrap()).unwrap();
        let mut n = 0;
        loop {
            let mut b = RecordBatch::default();
            let m = r.fill(&mut b).unwrap();
            for rec in b.records() {
                n += usize::from(signinel::normalise::normalise(&rec).is_ok());
            }
            if m == More::No {
                break;
            }
        }
        println!("cut+normalise {n} {:?}", t.elapsed());
        let t = std::time::Instant::now();
        let mut r = Records::open(std::fs::File::open(&path).unwrap()).unwrap();
        let mut n = 0;
        loop {
            let mut b = RecordBatch::default();
            let m = r.fill(&mut b).unwrap();
            n += signinel::ingest::fetched(b, "x").batch.len();
            if m == More::No {
                break;
            }
        }
        println!("cut+normalise+batch {n} {:?} {round}", t.elapsed());
    }
}
