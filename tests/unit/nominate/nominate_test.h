/* SPDX-License-Identifier: Apache-2.0 */
/* nominate_test.h - JSON written with single quotes, for readable rows */
#ifndef SPILLWAY_NOMINATE_TEST_H
#define SPILLWAY_NOMINATE_TEST_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../support/json_of.h"
#include "spillway/json.h"
#include "spillway/text.h"

#endif
