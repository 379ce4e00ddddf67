fn main() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/vswitch.o");
    println!("cargo:rerun-if-changed={}", path.display());
    println!("cargo:rustc-env=VSWITCH_BPF_OBJECT={}", path.display());
}
