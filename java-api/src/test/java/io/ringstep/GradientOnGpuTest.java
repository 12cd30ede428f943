package io.ringstep;

/** {@link GradientTest}, on a GPU. */
@OnGpu
class GradientOnGpuTest extends GradientTest {}
