package io.ringstep;

/** {@link SoakTest}, on a GPU. */
@OnGpu
class SoakOnGpuTest extends SoakTest {}
