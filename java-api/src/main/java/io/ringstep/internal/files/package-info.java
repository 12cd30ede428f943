/**
 * Files that hold tables and tensors. What comes in is trusted in nothing: a size is believed once
 * the file has shown it, and every refusal is an {@link io.ringstep.InvalidDataException} that
 * names the file, the place and the remedy. What goes out is whole or not there.
 */
package io.ringstep.internal.files;
