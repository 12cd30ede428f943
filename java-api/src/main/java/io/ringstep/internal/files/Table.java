package io.ringstep.internal.files;

import java.nio.FloatBuffer;
import java.util.List;

/**
 * Samples from a file: inputs x and targets y, both direct and in native byte order.
 *
 * @param xNames the inputs' names; empty where the file gives none
 * @param yNames the targets' names; empty where the file gives none
 * @param rows number of samples, at least 1
 * @param inputs width of a row of x, at least 1
 * @param outputs width of a row of y; 0 where the file was read for its inputs alone
 * @param x [rows, inputs], row-major, finite
 * @param y [rows, outputs], row-major, finite
 * @param weights of the rows, [rows], finite and at least 0; null where there are none
 * @param classNames names of the classes that y numbers; empty where it holds plain numbers
 */
public record Table(
    List<String> xNames,
    List<String> yNames,
    long rows,
    int inputs,
    int outputs,
    FloatBuffer x,
    FloatBuffer y,
    FloatBuffer weights,
    List<String> classNames) {}
