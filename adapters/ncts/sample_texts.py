"""Texts of the invented messages in `samples`: patterns of `str.format`, whose values stand there escaped."""

from __future__ import annotations

GOODS = (
    ("Łożyska kulkowe stalowe do maszyn rolniczych, w kartonach", "848210", "10"),
    ("Tkaniny bawełniane barwione, szerokość 150 cm, na belach", "520832", "16"),
    ("Koncentrat soku jabłkowego, zamrożony, w beczkach", "200979", "11"),
    ("Silniki elektryczne wielofazowe o mocy 5,5 kW", "850152", "20"),
)

ITEM = """\
      <ConsignmentItem>
        <goodsItemNumber>{number}</goodsItemNumber>
        <declarationGoodsItemNumber>{number}</declarationGoodsItemNumber>
        <Commodity>
          <descriptionOfGoods>{description}</descriptionOfGoods>
          <CommodityCode>
            <harmonizedSystemSubHeadingCode>{heading}</harmonizedSystemSubHeadingCode>
            <combinedNomenclatureCode>{subheading}</combinedNomenclatureCode>
          </CommodityCode>
          <GoodsMeasure>
            <grossMass>120.000</grossMass>
            <netMass>112.500</netMass>
          </GoodsMeasure>
        </Commodity>
        <Packaging>
          <sequenceNumber>1</sequenceNumber>
          <typeOfPackages>CT</typeOfPackages>
          <numberOfPackages>{packages}</numberOfPackages>
          <shippingMarks>BRAMA/{number:04}</shippingMarks>
        </Packaging>
        <SupportingDocument>
          <sequenceNumber>1</sequenceNumber>
          <type>N380</type>
          <referenceNumber>FV/{number:04}/2026</referenceNumber>
        </SupportingDocument>
        <AdditionalInformation>
          <sequenceNumber>1</sequenceNumber>
          <code>20300</code>
          <text>Dane zmyślone na potrzeby próby.</text>
        </AdditionalInformation>
      </ConsignmentItem>
"""

DECLARATION = """\
  <TransitOperation>
    <LRN>{lrn}</LRN>
    <declarationType>T1</declarationType>
    <additionalDeclarationType>A</additionalDeclarationType>
    <security>0</security>
    <reducedDatasetIndicator>0</reducedDatasetIndicator>
    <bindingItinerary>0</bindingItinerary>
    <limitDate>{limit}</limitDate>
  </TransitOperation>
  <CustomsOfficeOfDeparture>
    <referenceNumber>{office}</referenceNumber>
  </CustomsOfficeOfDeparture>
  <CustomsOfficeOfDestinationDeclared>
    <referenceNumber>DE000020</referenceNumber>
  </CustomsOfficeOfDestinationDeclared>
  <HolderOfTheTransitProcedure>
    <identificationNumber>{holder}</identificationNumber>
    <ContactPerson>
      <name>Jan Zmyślony</name>
      <phoneNumber>+48 000 000 000</phoneNumber>
      <eMailAddress>jan.zmyslony@example.test</eMailAddress>
    </ContactPerson>
  </HolderOfTheTransitProcedure>
  <Guarantee>
    <sequenceNumber>1</sequenceNumber>
    <guaranteeType>1</guaranteeType>
    <GuaranteeReference>
      <sequenceNumber>1</sequenceNumber>
      <GRN>26PL0000000000018</GRN>
      <accessCode>AB12</accessCode>
      <amountToBeCovered>12500.00</amountToBeCovered>
      <currency>EUR</currency>
    </GuaranteeReference>
  </Guarantee>
  <Consignment>
    <countryOfDispatch>PL</countryOfDispatch>
    <countryOfDestination>DE</countryOfDestination>
    <containerIndicator>0</containerIndicator>
    <inlandModeOfTransport>3</inlandModeOfTransport>
    <grossMass>{mass}.000</grossMass>
    <Consignor>
      <name>Wytwórnia Próbna sp. z o.o.</name>
      <Address>
        <streetAndNumber>ul. Niebyła 1</streetAndNumber>
        <postcode>00-000</postcode>
        <city>Wymyślin</city>
        <country>PL</country>
      </Address>
    </Consignor>
    <Consignee>
      <name>Musterhandel GmbH</name>
      <Address>
        <streetAndNumber>Erfundener Weg 2</streetAndNumber>
        <postcode>00000</postcode>
        <city>Nirgendwo</city>
        <country>DE</country>
      </Address>
    </Consignee>
    <LocationOfGoods>
      <typeOfLocation>B</typeOfLocation>
      <qualifierOfIdentification>V</qualifierOfIdentification>
      <CustomsOffice>
        <referenceNumber>{office}</referenceNumber>
      </CustomsOffice>
    </LocationOfGoods>
    <DepartureTransportMeans>
      <sequenceNumber>1</sequenceNumber>
      <typeOfIdentification>30</typeOfIdentification>
      <identificationNumber>XX00000</identificationNumber>
      <nationality>PL</nationality>
    </DepartureTransportMeans>
    <HouseConsignment>
      <sequenceNumber>1</sequenceNumber>
      <grossMass>{mass}.000</grossMass>
{items}    </HouseConsignment>
  </Consignment>
"""

RELEASE = """\
{operation}  <CustomsOfficeOfDeparture>
    <referenceNumber>{office}</referenceNumber>
  </CustomsOfficeOfDeparture>
  <CustomsOfficeOfDestinationDeclared>
    <referenceNumber>DE000020</referenceNumber>
  </CustomsOfficeOfDestinationDeclared>
  <HolderOfTheTransitProcedure>
    <identificationNumber>{holder}</identificationNumber>
  </HolderOfTheTransitProcedure>
  <Guarantee>
    <sequenceNumber>1</sequenceNumber>
    <guaranteeType>1</guaranteeType>
  </Guarantee>
  <Consignment>
    <containerIndicator>0</containerIndicator>
    <grossMass>120.000</grossMass>
    <HouseConsignment>
      <sequenceNumber>1</sequenceNumber>
      <grossMass>120.000</grossMass>
      <ConsignmentItem>
        <goodsItemNumber>1</goodsItemNumber>
        <declarationGoodsItemNumber>1</declarationGoodsItemNumber>
        <Commodity>
          <descriptionOfGoods>Łożyska kulkowe stalowe do maszyn rolniczych, w kartonach</descriptionOfGoods>
        </Commodity>
        <Packaging>
          <sequenceNumber>1</sequenceNumber>
          <typeOfPackages>CT</typeOfPackages>
        </Packaging>
      </ConsignmentItem>
    </HouseConsignment>
  </Consignment>
"""
