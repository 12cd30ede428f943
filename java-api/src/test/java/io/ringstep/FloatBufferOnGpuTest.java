package io.ringstep;

/** {@link FloatBufferTest}, on a GPU. */
@OnGpu
class FloatBufferOnGpuTest extends FloatBufferTest {}
