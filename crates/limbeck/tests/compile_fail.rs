//! Mistakes in attributes are compile errors that point at the attribute.

#[test]
fn mistakes_are_compile_errors_at_their_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
