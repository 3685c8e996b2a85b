"""What bench/compare is made of: model, runner, rendering, and the sections of the document."""
