/* What was found -> tables, by the C data interface of Apache Arrow, so that nothing becomes an
 * object of Python. See https://arrow.apache.org/docs/format/CDataInterface.html and, for the names
 * of the capsules, .../CDataInterface/PyCapsuleInterface.html.
 */
#ifndef ARROW_H
#define ARROW_H

#include "found.h"

#include <stddef.h>

struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#define MOST_COLUMNS 6
#define MOST_BUFFERS 3

typedef struct {
    const char *name;
    size_t at; /* where in an item it is; a text is looked up */
    int is_text;
} Column;

static const Column LINE_COLUMNS[] = {{"file", offsetof(Line, file), 0},
                                      {"number", offsetof(Line, number), 0},
                                      {"kind", offsetof(Line, kind), 0},
                                      {"line", offsetof(Line, end), 1}};
static const Column ROW_COLUMNS[] = {
    {"file", offsetof(Row, file), 0},   {"number", offsetof(Row, number), 0},
    {"kind", offsetof(Row, kind), 0},   {"requests", offsetof(Row, count), 0},
    {"first", offsetof(Row, first), 0}, {"last", offsetof(Row, last), 0}};

/* Items of one size, with columns; texts are those between the end of one item's and the next. */
typedef struct {
    const Column *columns;
    int column_count;
    const uint8_t *items;
    size_t item_size, count;
    const Buffer *texts;
} Table;

static Table table_of_lines(const Alike *self)
{
    return (Table){LINE_COLUMNS, sizeof LINE_COLUMNS / sizeof *LINE_COLUMNS, self->lines.data,
                   sizeof(Line), line_count(self), &self->texts};
}

static Table table_of_rows(const Alike *self)
{
    return (Table){ROW_COLUMNS, sizeof ROW_COLUMNS / sizeof *ROW_COLUMNS, self->rows.data,
                   sizeof(Row), row_count(self), NULL};
}

static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release)
            schema->children[i]->release(schema->children[i]);
        PyMem_RawFree(schema->children[i]);
    }
    PyMem_RawFree(schema->children);
    schema->release = NULL;
}

static void release_array(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release)
            array->children[i]->release(array->children[i]);
        PyMem_RawFree(array->children[i]);
    }
    for (int64_t i = 0; i < array->n_buffers; i++)
        PyMem_RawFree((void *)array->buffers[i]);
    PyMem_RawFree(array->buffers);
    PyMem_RawFree(array->children);
    array->release = NULL;
}

/* Fill in the schema of a table; what is filled in is to be released even where memory fails. */
static int fill_schema(struct ArrowSchema *schema, const Table *table)
{
    *schema = (struct ArrowSchema){.format = "+s", .name = "", .release = release_schema};
    schema->children = PyMem_RawCalloc(MOST_COLUMNS, sizeof *schema->children);
    if (!schema->children)
        return 0;
    for (; schema->n_children < table->column_count; schema->n_children++) {
        const Column *column = &table->columns[schema->n_children];
        struct ArrowSchema *child = PyMem_RawCalloc(1, sizeof *child);
        if (!child)
            return 0;
        child->format = column->is_text ? "Z" : "l";
        child->name = column->name;
        child->release = release_schema;
        schema->children[schema->n_children] = child;
    }
    return 1;
}

/* Begin an array without children and buffers, but with room for them. */
static int begin_array(struct ArrowArray *array, size_t length)
{
    *array = (struct ArrowArray){.length = (int64_t)length, .release = release_array};
    array->buffers = PyMem_RawCalloc(MOST_BUFFERS, sizeof *array->buffers);
    array->children = PyMem_RawCalloc(MOST_COLUMNS, sizeof *array->children);
    return array->buffers && array->children;
}

static void *add_buffer(struct ArrowArray *array, size_t size)
{
    void *data = PyMem_RawMalloc(size + 1);
    if (data)
        array->buffers[array->n_buffers++] = data;
    return data;
}

static int64_t value_at(const Table *table, size_t item, const Column *column)
{
    int64_t value;
    memcpy(&value, table->items + item * table->item_size + column->at, sizeof value);
    return value;
}

/* Fill in a column: which values are null (no buffer: none), where texts end, and the values. */
static int fill_column(struct ArrowArray *array, const Table *table, const Column *column)
{
    if (!begin_array(array, table->count))
        return 0;
    array->n_buffers = 1;
    int64_t *values = add_buffer(array, (table->count + 1) * sizeof *values);
    if (!values)
        return 0;
    if (column->is_text)
        *values++ = 0;
    for (size_t item = 0; item < table->count; item++)
        values[item] = value_at(table, item, column);
    if (!column->is_text)
        return 1;
    void *text = add_buffer(array, table->texts->length);
    if (text && table->texts->length)
        memcpy(text, table->texts->data, table->texts->length);
    return text != NULL;
}

static int fill_array(struct ArrowArray *array, const Table *table)
{
    if (!begin_array(array, table->count))
        return 0;
    array->n_buffers = 1;
    while (array->n_children < table->column_count) {
        struct ArrowArray *child = PyMem_RawCalloc(1, sizeof *child);
        if (!child)
            return 0;
        array->children[array->n_children] = child;
        if (!fill_column(child, table, &table->columns[array->n_children++]))
            return 0;
    }
    return 1;
}

static void free_schema(PyObject *capsule)
{
    struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");
    if (schema->release)
        schema->release(schema);
    PyMem_RawFree(schema);
}

static void free_array(PyObject *capsule)
{
    struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
    if (array->release)
        array->release(array);
    PyMem_RawFree(array);
}

static PyObject *schema_of(const Table *table)
{
    struct ArrowSchema *schema = PyMem_RawCalloc(1, sizeof *schema);
    PyObject *capsule = schema ? PyCapsule_New(schema, "arrow_schema", free_schema) : NULL;
    if (!capsule) {
        PyMem_RawFree(schema);
        return PyErr_NoMemory();
    }
    if (!fill_schema(schema, table)) {
        Py_DECREF(capsule);
        return PyErr_NoMemory();
    }
    return capsule;
}

static PyObject *array_of(const Table *table)
{
    struct ArrowArray *array = PyMem_RawCalloc(1, sizeof *array);
    PyObject *capsule = array ? PyCapsule_New(array, "arrow_array", free_array) : NULL;
    if (!capsule) {
        PyMem_RawFree(array);
        return PyErr_NoMemory();
    }
    if (!fill_array(array, table)) {
        Py_DECREF(capsule);
        return PyErr_NoMemory();
    }
    return capsule;
}

/* Give a table as the capsules of its schema and of its array. */
static PyObject *capsules_of(Table table)
{
    PyObject *schema = schema_of(&table);
    PyObject *array = schema ? array_of(&table) : NULL;
    PyObject *both = array ? PyTuple_Pack(2, schema, array) : NULL;
    Py_XDECREF(schema);
    Py_XDECREF(array);
    return both;
}

#endif
