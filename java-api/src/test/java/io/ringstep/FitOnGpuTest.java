package io.ringstep;

/** {@link FitTest}, on a GPU. */
@OnGpu
class FitOnGpuTest extends FitTest {}
