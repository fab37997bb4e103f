/*
 * distance.c - the function distance(x, y), on the adapter for functions of floats.
 */
#include <math.h>

#include <weir/row.h>

#include "src/example.h"

static double distance(const double *x)
{
    return sqrt(x[0] * x[0] + x[1] * x[1]);
}

WEIR_FLOAT_FUNCTION(distance_table, distance)
