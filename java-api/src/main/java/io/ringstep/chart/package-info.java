/**
 * Charts and reports as plain data, and the interface of what draws them: the optional module {@code ringstep-plots},
 * or one of yours. This package draws nothing.
 */
package io.ringstep.chart;
