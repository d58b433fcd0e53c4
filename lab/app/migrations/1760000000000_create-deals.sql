-- Up Migration
CREATE TABLE deals (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text NOT NULL CHECK (title <> ''),
  merchant text NOT NULL,
  price_cents integer NOT NULL CHECK (price_cents >= 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deals_merchant_index ON deals (merchant);

-- Something to list, to dump and to compare after a restore.
INSERT INTO deals (title, merchant, price_cents)
SELECT 'Deal ' || n, 'Merchant ' || n % 17, 100 + n * 37 % 9900 FROM generate_series(1, 500) AS n;

-- Down Migration
DROP TABLE deals;
