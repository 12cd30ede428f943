package io.ringstep;

/** How a model file holds weights; what it cannot hold exactly is rounded. */
public enum Encoding {
  /** IEEE single precision, 4 bytes a weight. Nothing is rounded. */
  FLOAT32,

  /** IEEE half precision, 2 bytes a weight: 11 significant bits, at most 65504 in size. */
  FLOAT16,

  /** The upper half of a float32, 2 bytes a weight: 8 significant bits, float32's range. */
  BFLOAT16,

  /**
   * One byte a weight: a whole number from −127 to 127, times a scale that the weights of one unit
   * (a row of the weight matrix) share: the row's largest weight / 127. Biases stay float32. In the file {@code
   * fc1.weight} is I8 and {@code fc1.weight_scale} [out] is F32.
   */
  INT8
}
